# SPDX-License-Identifier: Apache-2.0
"""Processor time of files in turns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from host.common.errors import UserError
from host.common.paths import ZOO
from model.__main__ import main
from model.evaluation.speed import TURN, measure, table

FILES = [ZOO / f"pfld_025x_{kind}.onnx" for kind in ("exact", "qdq")]


def test_each_inference_of_each_file_is_timed() -> None:
    found = measure(FILES, rounds=2)
    assert found.shape == (2, 2 * TURN)
    assert (found > 0).all()


def test_table_compares_with_the_first() -> None:
    lines = table([Path("a.onnx"), Path("b/c.onnx")], np.array([[4.0] * 3, [2.0] * 3])).split("\n")
    assert lines[2].split("|")[1:-1] == [" a.onnx ", " 4.00 ", " 4.00 ", " 4.00 ", " 1.00 "]
    assert lines[3].split("|")[1:-1] == [" c.onnx ", " 2.00 ", " 2.00 ", " 2.00 ", " 2.00 "]


def test_what_cannot_be_measured(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="rounds=0 is too small; use 1 or more"):
        measure(FILES, rounds=0)
    result = CliRunner().invoke(main, ["speed", str(tmp_path / "no.onnx")])
    assert result.exit_code == 1
    assert "cannot read the model" in result.output
