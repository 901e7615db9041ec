# SPDX-License-Identifier: Apache-2.0
"""Quantising and fine-tuning as objects, as a program uses them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from host.common.errors import UserError
from model.network.checkpoint import load_quantised, read_checkpoint, save_network
from model.training.quantisation import FineTuning, Quantisation
from model.training.stages import FineTuningConfig, QuantisationConfig
from tests.model.samples import random_network


def test_from_fp32_to_tuned(tmp_path: Path) -> None:
    fp32, int8, tuned = (tmp_path / name for name in ("fp32.pt", "int8.pt", "tuned.pt"))
    save_network(random_network(width=0.125, s3="conv1x1", image_size=32), fp32, {"stage": "train"})
    config = QuantisationConfig(weights=fp32, out=int8, count=4)
    assert Quantisation(config).run() == 4
    made = read_checkpoint(int8)["made"]
    assert (made["stage"], made["recipe"], made["images"]) == ("ptq", "procedural", 4)
    heard: list[str] = []
    tuning = FineTuningConfig(weights=int8, out=tuned, count=4, steps=2, batch=2)
    done = FineTuning(tuning, tell=heard.append).run()
    assert (done.steps, done.nme, heard) == (2, None, [])
    assert tuning.last == tmp_path / "tuned.pt.last"
    assert tuning.last.is_file()
    assert read_checkpoint(tuned)["made"]["steps"] == 2
    before, after = (load_quantised(path).state_dict() for path in (int8, tuned))
    assert any(not torch.equal(before[name], after[name]) for name in before)


FILES = {"weights": Path("a.pt"), "out": Path("b.pt")}


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (QuantisationConfig, {"count": 0}, "count=0 is too small; use 1 or more"),
        (QuantisationConfig, {"percentile": 50}, "percentile=50 is out of range; use more than 50"),
        (FineTuningConfig, {"steps": 0}, "steps=0 is too small; use 1 or more"),
        (FineTuningConfig, {"batch": 0}, "batch=0 is too small"),
        (FineTuningConfig, {"minutes": 0.0}, "minutes=0 is not positive; use for example 20"),
        (FineTuningConfig, {"rate": -1.0}, "rate=-1 is not positive; use for example 0.0002"),
    ],
)
def test_values_are_checked(
    kind: type[QuantisationConfig | FineTuningConfig], values: dict[str, float], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        kind(**FILES, **values)  # type: ignore[arg-type]
