# SPDX-License-Identifier: Apache-2.0
"""The table of the four networks: equally many views each, in pieces."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from torch import Tensor

from model.__main__ import main
from model.training import config as configs
from model.training import train
from model.training.config import TrainConfig


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Command line that compares tiny networks, three steps each."""
    tiny = TrainConfig(
        width=0.125, faces=16, held_out=8, views=24, batch=8, pose_weight=0.0, threads=1
    )
    monkeypatch.setitem(configs.CONFIGS, "tiny", tiny)
    monkeypatch.setattr("model.faces.cache.CHUNK", 16)
    return ["equal", "--config", "tiny", "--out", str(tmp_path), "--cache", str(tmp_path / "c")]


def test_four_networks_at_equal_views(command: list[str], tmp_path: Path) -> None:
    first = CliRunner().invoke(main, [*command, "--pause", "0.0001"])
    assert first.exit_code == 0, first.output
    assert "| conv | fc | 7." in first.output
    assert first.output.count("| 8 |") == 4  # one step of eight faces each
    second = CliRunner().invoke(main, command)
    assert second.exit_code == 0, second.output
    assert second.output.count("| 24 |") == 4
    assert "| depthwise | grid | 6." in second.output
    log = (tmp_path / "depthwise_grid" / "log.csv").read_text().splitlines()
    assert [row.split(",")[:2] for row in log] == [["epoch", "views"], ["1", "16"]]
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_signal_ends_the_whole_comparison(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss: Callable[..., Tensor] = train.Trainer.loss

    def signalled(*arguments: object) -> Tensor:
        os.kill(os.getpid(), signal.SIGTERM)
        return loss(*arguments)

    monkeypatch.setattr(train.Trainer, "loss", signalled)
    ended = CliRunner().invoke(main, command)
    assert ended.exit_code == 1
    assert "Aborted" in ended.output
    assert (tmp_path / "conv_fc" / "last.pt").is_file()
    assert not (tmp_path / "conv_grid").exists()
