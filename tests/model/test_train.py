# SPDX-License-Identifier: Apache-2.0
"""Training: it learns, it resumes exactly, and its augmentation keeps points on their pixels."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from host.errors import UserError
from model import train as stage
from model.__main__ import main
from model.augment import flip, grey_levels, move, patch
from model.checkpoint import load_network
from model.faces import make_faces
from model.landmarks import mirror

SMALL = stage.TrainConfig(
    width=0.125, faces=96, held_out=16, epochs=6, batch=16, rate=3e-3, average=0.9
)


@pytest.fixture(scope="module")
def faces():
    return make_faces(SMALL.faces, SMALL.seed)


def spots(landmarks: torch.Tensor, size: int = 112) -> torch.Tensor:
    """Images with one bright Gaussian spot at each first landmark."""
    at = (torch.arange(size) + 0.5) / size
    x, y = landmarks[:, 0, 0, None, None], landmarks[:, 0, 1, None, None]
    return torch.exp(-((at[None, None] - x) ** 2 + (at[None, :, None] - y) ** 2) / 2e-3)[:, None]


def centres(images: torch.Tensor) -> torch.Tensor:
    """Centre of mass of each image, as fractions."""
    at = (torch.arange(images.shape[-1]) + 0.5) / images.shape[-1]
    total = images.sum((1, 2, 3))
    x = (images.sum((1, 2)) * at).sum(1) / total
    return torch.stack([x, (images.sum((1, 3)) * at).sum(1) / total], 1)


@pytest.mark.parametrize("change", [flip, move])
def test_points_move_with_the_pixels(change):
    generator = torch.Generator().manual_seed(0)
    landmarks = 0.4 + 0.2 * torch.rand(8, 1, 2, generator=generator).expand(8, 98, 2)
    images, moved, _ = change(spots(landmarks), landmarks, torch.zeros(8, 3), generator)
    assert (moved[:, 0] - landmarks[:, 0]).abs().max() > 0.02
    torch.testing.assert_close(centres(images), moved[:, 0], rtol=0, atol=2e-3)


def test_flip_uses_the_mirror_table():
    generator = torch.Generator().manual_seed(0)
    landmarks = torch.rand(8, 98, 2, generator=generator)
    pose = torch.ones(8, 3)
    _, moved, turned = flip(torch.zeros(8, 1, 4, 4), landmarks, pose, generator)
    changed = (moved != landmarks).flatten(1).any(1)
    assert 0 < changed.sum() < 8
    torch.testing.assert_close(moved[changed], torch.from_numpy(mirror(landmarks.numpy()))[changed])
    assert turned[changed].tolist() == [[-1, 1, -1]] * int(changed.sum())


def test_move_turns_the_pose():
    generator = torch.Generator().manual_seed(0)
    landmarks = torch.full((4, 98, 2), 0.5)
    landmarks[:, 1, 0] = 0.6
    _, moved, pose = move(torch.zeros(4, 1, 8, 8), landmarks, torch.zeros(4, 3), generator)
    arm = moved[:, 1] - moved[:, 0]
    torch.testing.assert_close(torch.atan2(arm[:, 1], arm[:, 0]), pose[:, 2], rtol=0, atol=1e-5)


@pytest.mark.parametrize("change", [grey_levels, patch])
def test_grey_levels_stay_in_range(change):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(16, 1, 32, 32, generator=generator)
    changed = change(images, generator)
    assert changed.shape == images.shape
    assert (changed != images).any()
    assert changed.min() >= 0
    assert changed.max() <= 1


def test_wing_loss_by_hand():
    loss = stage.wing(torch.tensor([2.0, -20.0]), torch.zeros(2), width=10, bend=2)
    expected = (10 * np.log(2) + 20 - (10 - 10 * np.log(6))) / 2
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_learning_rate_rises_and_falls():
    config = replace(SMALL, epochs=10, warm_up=0.1)
    rates = [stage.learning_rate(config, step) for step in range(60)]
    assert rates[5] == pytest.approx(config.rate)
    assert rates[:6] == sorted(rates[:6])
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert rates[-1] < 0.01 * config.rate


def test_training_lowers_the_loss(faces, monkeypatch):
    """From the mean face downwards: the network learns a few faces by heart."""
    monkeypatch.setattr(stage, "augment", lambda images, marks, pose, _: (images, marks, pose))
    trainer = stage.Trainer(replace(SMALL, width=0.25, epochs=12))
    losses = [trainer.train_epoch(faces) for _ in range(12)]
    assert losses[-1] < 0.75 * losses[0], losses


def test_resume_equals_an_uninterrupted_run(faces, tmp_path):
    whole = stage.Trainer(SMALL)
    for _ in range(3):
        whole.train_epoch(faces)
    first = stage.Trainer(SMALL)
    first.train_epoch(faces)
    stage.save(first.state(), tmp_path / "last.pt")
    second = stage.Trainer(SMALL)
    second.load(tmp_path / "last.pt")
    for _ in range(2):
        second.train_epoch(faces)
    for one, other in ((whole.network, second.network), (whole.average, second.average)):
        for name, value in one.state_dict().items():
            assert torch.equal(value, other.state_dict()[name]), name


def test_resume_of_another_configuration(tmp_path):
    stage.save(stage.Trainer(SMALL).state(), tmp_path / "last.pt")
    with pytest.raises(UserError, match="is of another configuration"):
        stage.Trainer(replace(SMALL, rate=1e-3)).load(tmp_path / "last.pt")


def test_command_writes_its_files(tmp_path, monkeypatch):
    tiny = replace(SMALL, faces=32, held_out=8, epochs=2, threads=1)
    monkeypatch.setitem(stage.CONFIGS, "tiny", tiny)
    monkeypatch.setattr("model.face_cache.CHUNK", 16)
    out, cache = tmp_path / "out", tmp_path / "cache"
    arguments = ["train", "--config", "tiny", "--out", str(out), "--cache", str(cache)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "held-out procedural faces: NME" in result.output
    with (out / "log.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2"]
    assert json.loads((out / "config.json").read_text())["faces"] == 32
    network = load_network(out / "weights.pt")
    assert not network.training
    assert stage.predict(network, np.zeros((2, 112, 112), np.uint8)).shape == (2, 98, 2)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"faces": 1}, "faces=1 is too small; use 2 or more"),
        ({"batch": 200}, "batch=200 is more than faces=96"),
        ({"rate": 0.0}, "rate=0.0 is not positive"),
        ({"average": 1.0}, "average=1.0 is outside of 0 <= average < 1"),
    ],
)
def test_bad_configurations(changes, text):
    with pytest.raises(UserError, match=text):
        replace(SMALL, **changes)


def test_unknown_names():
    with pytest.raises(UserError, match="config 'big' is unknown; use one of pfld_025x"):
        stage.find_config("big")
    with pytest.raises(UserError, match="field 'speed' is unknown; use one of width"):
        stage.find_config("smoke", speed=3)
