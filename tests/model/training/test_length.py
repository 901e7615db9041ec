# SPDX-License-Identifier: Apache-2.0
"""How long a training goes: minutes, a signal in mid-epoch, exact resume; and where it starts."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from host.common.errors import UserError
from model.data.crops import from_procedural
from model.data.mixture import Balance, Mixture, endless
from model.faces.render import make_faces
from model.network.checkpoint import load_network, save
from model.network.pfld import PFLD
from model.training import train as stage
from model.training.config import CONFIGS, TrainConfig
from model.training.restem import restem
from tests.model.samples import random_network

SMALL = TrainConfig(
    width=0.125, stem="depthwise", head="grid", faces=48, held_out=16, epochs=6, batch=16,
    rate=3e-3, average=0.9, pose_weight=0.0, lid_weight=0.3, frozen=True, live=2, threads=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def faces() -> Mixture:
    return Mixture((from_procedural(make_faces(SMALL.faces, SMALL.seed)),), (1.0,))


class After:
    """Ends a training after ``steps`` steps."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def __call__(self) -> bool:
        self.steps -= 1
        return self.steps == 0


@pytest.mark.parametrize("head", ["fc", "grid"])
def test_resume_in_the_middle_of_an_epoch_is_exact(
    faces: Mixture, tmp_path: Path, head: str
) -> None:
    config = replace(SMALL, head=head)
    whole = stage.Trainer(config)
    losses = [whole.train_epoch(faces) for _ in range(2)]
    first = stage.Trainer(config)
    assert first.train_epoch(faces, keep=After(2)) is None
    save(first.state(), tmp_path / "last.pt")
    second = stage.Trainer(config)
    second.load(tmp_path / "last.pt")
    assert (second.done, second.steps) == (2, 2)
    assert [second.train_epoch(faces) for _ in range(2)] == losses
    for one, other in ((whole.network, second.network), (whole.average, second.average)):
        for name, value in one.state_dict().items():
            assert torch.equal(value, other.state_dict()[name]), name


def test_statistics_freeze_after_the_live_steps(faces: Mixture) -> None:
    trainer = stage.Trainer(SMALL)
    trainer.train_epoch(faces, keep=After(2))
    live = {n: v.clone() for n, v in trainer.network.state_dict().items()}
    trainer.train_epoch(faces)
    for name, value in trainer.network.state_dict().items():
        kept = name.endswith(("running_mean", "running_var"))
        assert torch.equal(value, live[name]) or not kept, name
    assert live["stem.0.norm.num_batches_tracked"] == 2


def test_minutes_end_a_training_and_lower_the_rate(faces: Mixture) -> None:
    trainer = stage.Trainer(replace(SMALL, warm_up=0.0))
    trainer.seconds = 30.0
    assert trainer._rate(3, 1.0) == pytest.approx(SMALL.rate / 2, rel=1e-3)
    assert trainer.train_epoch(faces, minutes=30.0 / 60) is None  # one step, then time is over
    assert trainer.steps == 1
    assert stage.finished(trainer, 0.5)
    assert not stage.finished(trainer, None)
    with pytest.raises(UserError, match="minutes=0 is not positive; use for example 20"):
        stage.Start(minutes=0)


def test_a_signal_ends_after_the_step() -> None:
    with stage.stopping() as stop:
        assert not stop
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop
        assert stop.signals == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    with stage.stopping(1e-9) as stop:
        assert stop
        assert not stop.signals


def test_another_network_gives_what_fits(tmp_path: Path) -> None:
    other = random_network(width=0.125)
    save({"config": other.config(), "state_dict": other.state_dict()}, tmp_path / "fc.pt")
    trainer = stage.Trainer(SMALL)
    with pytest.raises(UserError, match=r"fc\.pt is of a network .*'head': 'fc'"):
        trainer.start_from(tmp_path / "fc.pt")
    fresh = trainer.start_from(tmp_path / "fc.pt", partly=True)
    assert sorted(fresh) == ["cells.bias", "cells.weight", "stem.1.conv.weight"]
    wide = trainer.network.stages_14[6].depthwise.conv.weight
    assert wide.shape[2:] == (7, 7)
    torch.testing.assert_close(
        wide[:, :, 2:5, 2:5], other.stages_14[6].depthwise.conv.weight, atol=0, rtol=0
    )
    assert wide.sum().item() == pytest.approx(wide[:, :, 2:5, 2:5].sum().item())


def test_filters_that_do_not_fit() -> None:
    assert stage.fitting(torch.ones(4, 1, 3, 3), torch.ones(5, 1, 3, 3)) is None
    assert stage.fitting(torch.ones(4, 1, 7, 7), torch.ones(4, 1, 3, 3)) is None
    assert stage.fitting(torch.ones(4), torch.ones(5)) is None


def test_a_depthwise_stem_learns_what_the_full_one_does(faces: Mixture) -> None:
    network = random_network(width=0.125, pose_branch=False)
    left: list[float] = []
    fitted = restem(network, endless(faces, 8, 112, 1, 1.0), 25, lambda step, v: left.append(v))
    assert left[-1] < 0.7 * left[0], left
    assert (fitted.stem_kind, fitted.training) == ("depthwise", False)
    kept = fitted.state_dict()
    for name, value in network.state_dict().items():
        touched = name.startswith(("stem.1.", "stages_28.0.expand."))
        assert touched or torch.equal(value, kept[name]), name
    with pytest.raises(UserError, match="the stem is depthwise already"):
        restem(fitted, endless(faces, 8, 112, 1, 1.0), 1)


def test_bfloat16_only_where_the_processor_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = stage.Trainer(replace(SMALL, bfloat16=True))
    for has in (True, False):
        monkeypatch.setattr(stage, "has_bfloat16", lambda has=has: has)
        with trainer._precision():
            assert torch.is_autocast_enabled("cpu") is has


def test_configuration_of_the_eyes() -> None:
    config = CONFIGS["eyes"]
    assert PFLD(stem=config.stem, head=config.head).head_kind == "grid"
    with pytest.raises(UserError, match="head='map' is unknown; use one of fc, grid"):
        replace(SMALL, head="map")
    with pytest.raises(UserError, match="closed=0 is out of range; use 1 to 100"):
        Balance(closed=0)


def test_weights_of_a_stopped_training_load(faces: Mixture, tmp_path: Path) -> None:
    trainer = stage.Trainer(SMALL)
    trainer.train_epoch(faces)
    trainer.save_weights(tmp_path / "weights.pt")
    assert load_network(tmp_path / "weights.pt").config() == trainer.network.config()
