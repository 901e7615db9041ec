# SPDX-License-Identifier: Apache-2.0
"""Training: it learns, it resumes exactly, and its augmentation keeps points on their pixels."""

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from host.common.errors import UserError
from model.__main__ import main
from model.data.crops import from_procedural
from model.data.mixture import Mixture
from model.faces.render import make_faces
from model.network.checkpoint import load_network, save
from model.training import config as configs
from model.training import train as stage
from model.training.source import Source

SMALL = configs.TrainConfig(
    width=0.125, faces=96, held_out=16, epochs=6, batch=16, rate=3e-3, average=0.9
)


def mixture(count):
    return Mixture((from_procedural(make_faces(count, SMALL.seed)),), (1.0,))


@pytest.fixture(scope="module")
def faces():
    return mixture(SMALL.faces)


def test_learning_rate_rises_and_falls():
    config = replace(SMALL, epochs=10, warm_up=0.1)
    rates = [stage.learning_rate(config, step, 60) for step in range(60)]
    assert rates[5] == pytest.approx(config.rate)
    assert rates[:6] == sorted(rates[:6])
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert rates[-1] < 0.01 * config.rate


def test_training_lowers_the_loss(faces):
    """From the mean face downwards: the network learns a few faces by heart."""
    trainer = stage.Trainer(replace(SMALL, width=0.25, epochs=12, augmentation=0))
    losses = [trainer.train_epoch(faces) for _ in range(12)]
    assert losses[-1] < 0.75 * losses[0], losses


def test_resume_equals_an_uninterrupted_run(faces, tmp_path):
    whole = stage.Trainer(SMALL)
    for _ in range(3):
        whole.train_epoch(faces)
    first = stage.Trainer(SMALL)
    first.train_epoch(faces)
    save(first.state(), tmp_path / "last.pt")
    second = stage.Trainer(SMALL)
    second.load(tmp_path / "last.pt")
    for _ in range(2):
        second.train_epoch(faces)
    for one, other in ((whole.network, second.network), (whole.average, second.average)):
        for name, value in one.state_dict().items():
            assert torch.equal(value, other.state_dict()[name]), name


def test_resume_of_another_configuration(tmp_path):
    save(stage.Trainer(SMALL).state(), tmp_path / "last.pt")
    with pytest.raises(UserError, match="is of another configuration"):
        stage.Trainer(replace(SMALL, rate=1e-3)).load(tmp_path / "last.pt")


@pytest.mark.parametrize("kind", ["missing", "empty", "garbage", "cut", "list", "weights"])
def test_resume_from_a_damaged_file(tmp_path, kind):
    trainer, path = stage.Trainer(SMALL), tmp_path / "last.pt"
    save(trainer.state(), path)
    content = path.read_bytes()
    if kind == "weights":
        trainer.save_weights(path)
    elif kind == "list":
        save([1], path)
    elif kind == "missing":
        path.unlink()
    else:
        path.write_bytes({"empty": b"", "garbage": b"no file", "cut": content[:3000]}[kind])
    with pytest.raises(UserError, match=r"last\.pt cannot be resumed from: \w+: ") as caught:
        trainer.load(path)
    assert len(str(caught.value)) < 400


def test_nothing_is_written_before_the_faces_are_read(tmp_path):
    source = Source(cache=tmp_path / "cache", packed=tmp_path / "none.npz")
    with pytest.raises(UserError, match=r"none\.npz is no file of"):
        stage.Training(SMALL, tmp_path / "out", source).run()
    assert not (tmp_path / "out").exists()


def test_command_writes_its_files(tmp_path, monkeypatch):
    tiny = replace(SMALL, faces=32, held_out=8, epochs=2, threads=1)
    monkeypatch.setitem(configs.CONFIGS, "tiny", tiny)
    monkeypatch.setattr("model.faces.cache.CHUNK", 16)
    out, cache = tmp_path / "out", tmp_path / "cache"
    arguments = ["train", "--config", "tiny", "--out", str(out), "--cache", str(cache)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "measured faces: NME" in result.output
    with (out / "log.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2"]
    assert json.loads((out / "config.json").read_text())["faces"] == 32
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert len(list((out / "tensorboard").glob("events.*"))) == 2
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
        ({"loss": "l3"}, "loss='l3' is unknown; use one of wing, adaptive_wing, squared"),
        ({"mix": (("wflv", 1.0),)}, "source 'wflv' is unknown; use one of procedural, wflw"),
        ({"mix": (("wflw", 0.0),)}, "wflw is repeated 0.0 times"),
        ({"mix": ()}, "the mix is empty"),
        ({"held_back": 1}, "held_back=1 leaves nothing to train on; use 2 or more"),
        ({"measured": "wflv"}, "measured='wflv' is no source; use wflw, "),
        ({"angle_weights": True, "pose_weight": 0.0}, "angle_weights needs the auxiliary branch"),
    ],
)
def test_bad_configurations(changes, text):
    with pytest.raises(UserError, match=text):
        replace(SMALL, **changes)


def test_unknown_names():
    with pytest.raises(UserError, match="config 'big' is unknown; use one of best"):
        configs.find_config("big")
    with pytest.raises(UserError, match="field 'speed' is unknown; use one of mix"):
        configs.find_config("smoke", speed=3)


def test_default_needs_no_download():
    (option,) = [p for p in main.commands["train"].params if p.name == "name"]
    assert configs.find_config(option.default).sources == ["procedural"]


def test_start_from_weights(faces, tmp_path):
    first = stage.Trainer(replace(SMALL, pose_weight=0.0))
    first.train_epoch(faces)
    first.save_weights(tmp_path / "weights.pt")
    second = stage.Trainer(SMALL)  # with a pose branch, which the file does not have
    second.start_from(tmp_path / "weights.pt")
    for name, value in first.average.state_dict().items():
        assert torch.equal(second.network.state_dict()[name], value), name
    with pytest.raises(UserError, match=r"weights\.pt is of a network .*'width': 0\.125"):
        stage.Trainer(replace(SMALL, width=0.25)).start_from(tmp_path / "weights.pt")


@pytest.mark.parametrize("name", ["best", "paper"])
def test_losses_of_the_named_configurations_are_finite(faces, name):
    config = replace(configs.CONFIGS[name], width=0.125, batch=16)
    trainer = stage.Trainer(config)
    loss = trainer.train_epoch(faces)
    assert 0 < loss < 1e4


def test_batch_larger_than_an_epoch(faces):
    with pytest.raises(UserError, match="batch=128 is more than the 96 faces of an epoch"):
        stage.Trainer(replace(SMALL, batch=128, faces=200)).train_epoch(faces)


def test_two_processes_equal_one(tmp_path):
    """Losses and weights of one process with the whole batch, in float64; see distributed.py."""
    script = Path(__file__).with_name("distributed.py")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    launch += ["--local-addr=127.0.0.1", "--nproc-per-node=2"]
    environment = {"PYTHONPATH": str(script.parents[3]), "OMP_NUM_THREADS": "1"}
    found = []
    for command, name in (([sys.executable], "one.pt"), (launch, "two.pt")):
        done = subprocess.run(
            [*command, str(script), str(tmp_path / name)],
            capture_output=True,
            text=True,
            timeout=300,
            env={**os.environ, **environment},
        )
        assert done.returncode == 0, done.stderr[-2000:]
        found.append(torch.load(tmp_path / name, weights_only=True))
    one, two = found
    assert two["losses"] == pytest.approx(one["losses"], rel=1e-9)
    for name, value in one["weights"].items():
        torch.testing.assert_close(
            two["weights"][name], value, rtol=1e-9, atol=1e-9, msg=lambda m, n=name: f"{n}: {m}"
        )


def test_frozen_statistics_stay(faces):
    trainer = stage.Trainer(replace(SMALL, frozen=True))
    before = {n: v.clone() for n, v in trainer.network.state_dict().items()}
    trainer.train_epoch(faces)
    for name, value in trainer.network.state_dict().items():
        kept = name.endswith(("running_mean", "running_var"))
        assert torch.equal(value, before[name]) or not kept, name
    assert not torch.equal(trainer.network.s2.conv.weight, before["s2.conv.weight"])
