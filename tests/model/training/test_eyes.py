# SPDX-License-Identifier: Apache-2.0
"""The eye test learns, is written as the host reads it, and repeats."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from host.common.errors import UserError
from host.face.eyes import FEATURES, PATCH, load_network, probabilities
from model.__main__ import main
from model.data.lids import openings
from model.training import eyes
from model.training.eyes import EyeNet, Eyes, collect_eyes, drawn_faces, fit_twice, write_network


def test_it_learns_rules_and_leaves_out_what_is_labelled_wrong(tmp_path, monkeypatch):
    """Visible: light above; open: a dark bar in the middle; both rules hold to 90 %."""
    monkeypatch.setattr(eyes, "EPOCHS", 6)
    rng = np.random.default_rng(0)
    columns, rows = PATCH
    visible, opened = (rng.integers(0, 2, 1200).astype(np.float32) for _ in range(2))
    patches = rng.normal(0, 0.3, (1200, rows, columns)).astype(np.float32)
    patches[:, :8] += visible[:, None, None]
    patches[:, 10:14, 8:24] -= opened[:, None, None]
    rest = np.zeros((1200, FEATURES - rows * columns), np.float32)
    features = np.concatenate([patches.reshape(1200, -1), rest], axis=1)
    labels = visible.copy()
    labels[:20] = 1  # as true sunglasses among faces that count as bare
    trust = visible * (rng.random(1200) < 0.8)
    network = fit_twice(
        Eyes(features=features, visible=labels, open=opened, trust=trust.astype(np.float32)), 1
    )
    write_network(tmp_path / "net.npz", network)
    said = probabilities(features, load_network(tmp_path / "net.npz")) > 0.5
    assert (said[:, 0] == (visible > 0)).mean() > 0.95
    seen = visible > 0
    assert (said[seen, 1] == (opened[seen] > 0)).mean() > 0.9


def test_the_host_computes_what_was_trained():
    torch.manual_seed(3)
    net = EyeNet()
    features = np.random.default_rng(2).normal(0, 1, (5, FEATURES)).astype(np.float32)
    with torch.no_grad():
        trained = torch.sigmoid(net(torch.from_numpy(features))).numpy()
    assert np.abs(probabilities(features, net.network()) - trained).max() < 1e-5


def test_features_of_drawn_faces_repeat_and_have_all_labels():
    one, other = (collect_eyes(drawn_faces(3, 5), 7) for _ in range(2))
    assert one.features.shape == (len(one.visible), FEATURES)
    assert (one.features == other.features).all()
    assert 0.4 < one.visible.mean() < 0.75
    assert (one.trust == one.visible).all()
    wide = [openings(face.points) for face in drawn_faces(3, 5)]
    wanted = np.clip((wide[0] - eyes.SHUT) / (eyes.OPEN - eyes.SHUT), 0, 1)
    assert one.open[:2] == pytest.approx(wanted, abs=1e-6)


def test_open_eyes_are_shown_shut_too(monkeypatch):
    """Two of them: as they are, and drawn shut. Landmarks of hidden eyes may be anywhere."""
    monkeypatch.setattr(eyes, "judged", np.round)  # none is left out, so that the halves match
    opened = [face for face in drawn_faces(12, 5) if openings(face.points).min() > eyes.OPEN][:1]
    found = collect_eyes(opened, 7)
    half = len(found.open) // 2
    assert (found.open[:half] == 1).all()
    assert (found.open[half:] == 0).all()
    assert (found.visible[:half] == found.visible[half:]).mean() > 0.8


def test_eyes_that_people_cannot_see_are_learnt_as_hidden_or_left_out():
    """The left eye is hidden on every picture, the right one unclear where nothing is drawn."""
    [face] = drawn_faces(1, 5)
    bare, covered = (
        collect_eyes([replace(face, seen=np.array(seen))], 7)
        for seen in ((1.0, 1.0), (0.0, np.nan))
    )
    assert bare.visible.any()
    assert not covered.visible.any()
    assert not covered.trust.any()
    assert len(covered.visible) > 23  # the left eye on all pictures, three times, and hidden right


def test_a_training_repeats_to_the_bit(tmp_path, monkeypatch):
    monkeypatch.setattr(eyes, "EPOCHS", 2)
    files = [tmp_path / "one.npz", tmp_path / "other.npz"]
    for path in files:
        write_network(path, fit_twice(collect_eyes(drawn_faces(3, 5), 7), 1))
    assert files[0].read_bytes() == files[1].read_bytes()


def test_no_face_is_an_error(tmp_path):
    with pytest.raises(UserError, match="there is no face to learn from"):
        collect_eyes([], 0)
    done = CliRunner().invoke(main, ["train-eyes", "--drawn", "0", "--out", str(tmp_path / "a")])
    assert done.exit_code == 1
    assert "no face to learn from" in done.output
