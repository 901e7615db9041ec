# SPDX-License-Identifier: Apache-2.0
"""Which faces are trained on, and which only measured."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.progress import Progress

from host.common.errors import UserError
from model.data.mixture import MixConfig, collect

MIX = (("wflw", 1.0), ("300w", 1.0))


@pytest.mark.parametrize(("measured", "trained"), [("wflw", (1, 2)), ("300w", (2, 1))])
def test_the_named_source_is_measured(
    wflw_root: Path, ibug_root: Path, tmp_path: Path, measured: str, trained: tuple[int, ...]
) -> None:
    config = MixConfig(mix=MIX, measured=measured, held_back=2)
    roots = {"wflw": wflw_root, "300w": ibug_root}
    mixture, held = collect(config, roots, tmp_path / "cache", Progress(), print)
    assert tuple(len(crops) for crops in mixture.parts) == trained
    assert len(held) == 1


def test_without_the_named_source_a_part_of_the_first_is_measured(
    ibug_root: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    config = MixConfig(mix=MIX, measured="wflw", held_back=2)
    mixture, held = collect(
        config, {"300w": ibug_root}, tmp_path / "cache", Progress(), said.append
    )
    assert (len(mixture.parts), len(mixture.parts[0]), len(held)) == (1, 1, 1)
    assert said[0] == "wflw is left out: no folder given with --data wflw=FOLDER"


def test_nothing_to_train_on(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing to train on; give the folder of a source"):
        collect(MixConfig(mix=MIX), {}, tmp_path, Progress(), print)
