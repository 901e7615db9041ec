# SPDX-License-Identifier: Apache-2.0
"""The test whether eyes can be judged learns, is written as the host reads it, and repeats."""

import numpy as np
import pytest
from click.testing import CliRunner

from host.common.errors import UserError
from host.face.eyes import FEATURES, load_network, probabilities
from model.__main__ import main
from model.training.eyes import HIDDEN, Eyes, collect_eyes, drawn_faces, fit_twice, write_network


def test_it_learns_a_rule_and_leaves_out_what_is_labelled_wrong(tmp_path):
    rng = np.random.default_rng(0)
    features = rng.normal(0, 1, (1500, FEATURES)).astype(np.float32)
    visible = (features[:, 0] + features[:, 1] > 0).astype(np.float32)
    labels = visible.copy()
    labels[:30] = 1  # as true sunglasses among faces that count as bare
    network = fit_twice(Eyes(features, labels), 1)
    write_network(tmp_path / "net.npz", network)
    read = load_network(tmp_path / "net.npz")
    assert read.a.shape == (FEATURES, HIDDEN)
    said = probabilities(features, read) > 0.5
    assert (said == (visible > 0)).mean() > 0.93


def test_features_of_drawn_faces_repeat_and_have_both_labels():
    one, other = (collect_eyes(drawn_faces(2, 5), 7) for _ in range(2))
    assert one.features.shape == (len(one.visible), FEATURES)
    assert (one.features == other.features).all()
    assert 0.3 < one.visible.mean() < 0.6


def test_no_face_is_an_error(tmp_path):
    with pytest.raises(UserError, match="there is no face to learn from"):
        collect_eyes([], 0)
    done = CliRunner().invoke(main, ["train-eyes", "--drawn", "0", "--out", str(tmp_path / "a")])
    assert done.exit_code == 1
    assert "no face to learn from" in done.output
