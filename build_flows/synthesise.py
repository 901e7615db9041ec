# SPDX-License-Identifier: Apache-2.0
"""Synthesis of every unit of a stitched model, out of context, beside the cost formulas.

``synthesis.json`` has for each instance, each kernel and the whole design what yosys counts and
what the formula says, and the longest way between registers; the report of the same design has its
sums by kernel. See hw.synthesis.yosys for how.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qonnx.core.modelwrapper import ModelWrapper

from build_flows.config import BuildConfig
from build_flows.design.stitch import inner_constants, weight_memories
from build_flows.explore.budget import RESOURCES
from build_flows.flow import hash_of
from host.common.errors import UserError
from host.common.json_file import write_json
from host.common.provenance import provenance
from hw.ops import unit as hardware
from hw.ops.unit import Resources
from hw.sources import write_rtl
from hw.synthesis.netlist import Count
from hw.synthesis.yosys import Unit, kernel_unit, synthesise, top_module
from hw.units import units_of

FILE = "synthesis.json"
REPORTED = ("origin", "kernels", "over_max_levels", "widest_enables", "largest_fanouts",
            "deepest_ways", "open_memories")  # fmt: skip
LISTED = 10  #: enables, fan-outs, ways and memories
MAX_LEVELS = 8  #: LUTs and carry chains between two registers of a kernel of ours


@dataclass(frozen=True)
class Instance:
    """A unit of the design with the cost that its formula gives."""

    kernel: str
    layer: str
    ours: bool
    unit: Unit
    formula: Resources


def instances(model: ModelWrapper, cfg: BuildConfig) -> Iterator[Instance]:
    """Every unit of a folded model, weight memories beside those they feed."""
    memories = weight_memories(model)
    for unit in units_of(model):
        alone = out_of_context(model, unit, cfg)
        yield Instance(unit.kernel, unit.layer, unit.ours, alone, unit.resources())
        if unit.name in memories:
            memory, lanes = memories[unit.name]
            alone = kernel_unit(memory, memory.onnx_node.name, (lanes,))
            yield Instance(memory.rtl_module, unit.layer, True, alone, memory.resources())


def out_of_context(model: ModelWrapper, unit: hardware.Unit, cfg: BuildConfig) -> Unit:
    """The unit without its weight memory."""
    inputs = {f"in{i}": stream.width for i, stream in enumerate(unit.all_inputs)}
    outputs = {f"out{i}": stream.width for i, stream in enumerate(unit.outputs)}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        constants = inner_constants(model, unit)
        body = unit.instance([*inputs], [*outputs], folder, constants)
        write_rtl([unit], folder, model, cfg.part, 1000.0 / cfg.clk_mhz)
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
    text = top_module(unit.name, [*inputs.values()], [*outputs.values()], body)
    return Unit(unit.name, text, files)


def synthesise_units(
    model: ModelWrapper,
    cfg: BuildConfig,
    out: Path,
    progress: Callable[[str], None],
    kernels: Sequence[str] = (),
) -> dict[str, Any]:
    """Synthesise the units of a folded model, those of ``kernels`` alone if any are named.

    Results are kept by content in ``out``/cache. ``progress`` is told how many instances are
    settled. UserError for a kernel that the model has not, ToolError if yosys fails.
    """
    units, settled = list(instances(model, cfg)), 0
    known = sorted({unit.kernel for unit in units})
    for kernel in kernels:
        if kernel not in known:
            raise UserError(f"{cfg.name} has no kernel {kernel}; it has {', '.join(known)}")
    units = [unit for unit in units if not kernels or unit.kernel in kernels]

    def done(number: int) -> None:
        nonlocal settled
        settled += number
        progress(f"{settled} of {len(units)} instances settled")

    counts = synthesise([i.unit for i in units], out / "cache", done)
    origin = {"config": cfg.as_dict(), **provenance()}
    return origin | summary(units, counts)


def keep(found: dict[str, Any], out: Path) -> None:
    """Write the results of all units of the stitched design in ``out``, for its report."""
    write_json(out / FILE, {"design": _design(out), **found})


def results(out: Path) -> list[Path]:
    """The file with the results of a build in ``out``, if there is one."""
    return [path for path in [out / FILE] if path.is_file()]


def by_kernel(out: Path) -> dict[str, Any] | None:
    """Sums by kernel of the results in ``out``; None without those of the stitched design."""
    for path in results(out):
        found = json.loads(path.read_text())
        if found["design"] == _design(out):
            return {name: found[name] for name in REPORTED}
    return None


def _design(out: Path) -> str:
    """Hash of a stitched design: its sources and memories."""
    return hash_of(sorted((out / "stitch" / "design").rglob("*.*"))).hex()


def summary(units: list[Instance], counts: list[Count]) -> dict[str, Any]:
    """Instances, their sums by kernel and in all, and our kernels with ways over MAX_LEVELS."""
    rows: dict[str, dict[str, Any]] = {}
    kernels: dict[str, dict[str, Any]] = {}
    total = _empty()
    for instance, count in zip(units, counts, strict=True):
        formula = {name: getattr(instance.formula, name) for name in RESOURCES}
        named = {"kernel": instance.kernel, "layer": instance.layer}
        row = {**named, **asdict(count), "formula": formula}
        rows[instance.unit.name] = row
        for sums in (kernels.setdefault(instance.kernel, _empty()), total):
            sums["instances"] += 1
            sums["levels"] = max(sums["levels"], count.levels)
            for name in RESOURCES:
                sums[name] += row[name]
                sums["formula"][name] += formula[name]
    offenders = {
        instance.unit.name: f"{count.levels} levels: {count.path}"
        for instance, count in zip(units, counts, strict=True)
        if instance.ours and count.levels > MAX_LEVELS
    }
    return {
        "origin": "yosys, each unit out of context; formula: estimated",
        "total": total,
        "kernels": kernels,
        "over_max_levels": offenders,
        "widest_enables": _most(units, counts, "widest_enable", "enable"),
        "largest_fanouts": _most(units, counts, "fanout", "reaches"),
        "deepest_ways": _most(units, counts, "levels", "path"),
        "open_memories": _most(units, counts, "open_memories"),
        "instances": rows,
    }


def _most(
    units: list[Instance], counts: list[Count], number: str, signal: str | None = None
) -> list[dict[str, Any]]:
    """The LISTED instances by ``number`` of their count, the most first, with the signal."""
    found = [
        {"unit": instance.unit.name, "number": getattr(count, number)}
        | ({"net": getattr(count, signal)} if signal else {})
        for instance, count in zip(units, counts, strict=True)
        if getattr(count, number)
    ]
    return sorted(found, key=lambda row: -row["number"])[:LISTED]


def _empty() -> dict[str, Any]:
    zeros = dict.fromkeys(RESOURCES, 0)
    return {"instances": 0, "levels": 0, **zeros, "formula": dict(zeros)}
