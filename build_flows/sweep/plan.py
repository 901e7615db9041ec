# SPDX-License-Identifier: Apache-2.0
"""What a sweep runs: a TOML file of networks and of values, every combination a cell.

networks = ["kv260_1x"]       # configs
points = 4                    # searches of each cell

[untrained]                   # options of ``python -m model untrained``, each with its values
width = [0.25, 0.5]

[grid]                        # part, clk_mhz, fill, pumped
part = ["xck26-sfvc784-2LV-c", "xczu3eg-sbva484-1-e"]

[accuracy]                    # of a network, in percent, where somebody measured it
kv260_1x = 96.0
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from itertools import product
from pathlib import Path
from typing import Any

import tomllib

from build_flows.checked import check_types
from build_flows.explore.front import Search
from host.common.errors import UserError

Values = Mapping[str, tuple[Any, ...]]
GRID = ("part", "clk_mhz", "fill", "pumped")  #: of Search
FORM = (
    "width", "stem", "head", "landmarks", "image_size", "weight_bits", "activation_bits", "seed",
)  # fmt: skip
"""Options of ``python -m model untrained``."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One network with one search."""

    config: str
    """Name or file of the network's config."""
    search: Search
    """With part and clock."""
    points: int
    build: bool

    @property
    def command(self) -> str:
        """What repeats its search."""
        search = asdict(self.search) | {"points": self.points}
        options = (_option(name, value) for name, value in search.items())
        start = f"python -m build_flows explore --config {self.config}"
        return " ".join([start, *options])


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Content of a sweep's file."""

    networks: tuple[str, ...] = ()
    """Configs, by name or file."""
    points: int = 1
    """Searches of each cell, from the fastest folding to the slowest; 1 for the fastest only."""
    time_limit: float = 5.0
    """Of each search, in the solver's deterministic seconds."""
    build: bool = False
    """Whether the fastest folding of each cell is built and simulated."""
    untrained: Values = field(default_factory=dict)
    """Options of networks with random weights -> values."""
    grid: Values = field(default_factory=dict)
    """Fields of Search -> values."""
    accuracy: Mapping[str, float] = field(default_factory=dict)
    """Network -> percent."""

    def __post_init__(self) -> None:
        check_types(self, "the sweep")
        _refuse_unknown("grid", self.grid, GRID)
        _refuse_unknown("untrained", self.untrained, FORM)
        if not self.networks and not self.untrained:
            raise UserError("the sweep has no network; give networks or a table [untrained]")
        if self.points < 1:
            raise UserError(f"points={self.points}; give 1 or more")
        for key, values in [*self.grid.items(), *self.untrained.items()]:
            if not values:
                raise UserError(f"{key} has no value; give a list of one or more")
        self.searches()  # which says what is wrong with a value

    def forms(self) -> dict[str, dict[str, Any]]:
        """Name of each untrained network -> its options."""
        if not self.untrained:
            return {}
        return {"_".join(f"{k}{v}" for k, v in form.items()).replace(".", "p"): form
                for form in _combinations(self.untrained)}  # fmt: skip

    def searches(self) -> list[Search]:
        """What is searched for in each network."""
        return [Search(time_limit=self.time_limit, **row) for row in _combinations(self.grid)]


def read_sweep(path: Path) -> Sweep:
    """Read a sweep's file; UserError says what is wrong with it."""
    try:
        content = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise UserError(f"{path} is no sweep ({error}); see docs/sweeps.md") from error
    _refuse_unknown(str(path), content, [f.name for f in fields(Sweep)])
    for table in ("grid", "untrained"):
        if isinstance(content.get(table), dict):
            content[table] = {k: tuple(v) if isinstance(v, list) else (v,)
                              for k, v in content[table].items()}  # fmt: skip
    if isinstance(content.get("networks"), list):
        content["networks"] = tuple(content["networks"])
    return Sweep(**content)


def _refuse_unknown(where: str, given: Mapping[str, Any], known: Sequence[str]) -> None:
    for key in given:
        if key not in known:
            raise UserError(f"unknown key {key} in {where}; known are {', '.join(known)}")


def _combinations(values: Values) -> Iterator[dict[str, Any]]:
    return (dict(zip(values, row, strict=True)) for row in product(*values.values()))


def _option(name: str, value: Any) -> str:
    """An option of ``explore``, "" for what needs none."""
    option = "--" + name.replace("_", "-")
    if isinstance(value, bool):
        return option if value else f"--no-{option[2:]}"
    return "" if value is None else f"{option} {value}"
