# SPDX-License-Identifier: Apache-2.0
"""Synthesis of every unit of a stitched model, out of context, beside the cost formulas.

``synthesis.json`` has for each instance, each kernel and the whole design what yosys counts and
what the formula says, and the longest way between registers; the report of the same design has its
sums by kernel. See hw.synthesis.yosys for how.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.base import CustomOp
from qonnx.custom_op.registry import getCustomOp

from build_flows.config import BuildConfig
from build_flows.design.generate import finn_unit
from build_flows.design.stitch import constants_of, finn_instance, weight_memories
from build_flows.explore.budget import RESOURCES
from build_flows.explore.cost import kernel_name, unit_cost
from build_flows.flow import hash_of
from build_flows.graph.folding import has_weights
from host.common.json_file import write_json
from host.common.provenance import provenance
from hw.ops.base import KernelOp, Resources
from hw.synthesis.netlist import Count
from hw.synthesis.yosys import Unit, kernel_unit, synthesise, top_module

FILE = "synthesis.json"
MAX_LEVELS = 8  #: LUTs and carry chains between two registers of a kernel of ours


@dataclass(frozen=True)
class Instance:
    """A unit of the design with the cost that its formula gives."""

    kernel: str
    ours: bool
    unit: Unit
    formula: Resources


def instances(model: ModelWrapper, cfg: BuildConfig) -> Iterator[Instance]:
    """Every unit of a folded model, weight memories beside those they feed."""
    memories = weight_memories(model)
    for node in model.graph.node:
        op = getCustomOp(node)
        ours = isinstance(op, KernelOp)
        yield Instance(kernel_name(op), ours, unit_of(model, op, cfg), unit_cost(op, cfg.part))
        if node.name in memories:
            memory, lanes = memories[node.name]
            unit = kernel_unit(memory, memory.onnx_node.name, (lanes,))
            yield Instance(memory.rtl_module, True, unit, memory.resources())


def unit_of(model: ModelWrapper, op: CustomOp, cfg: BuildConfig) -> Unit:
    """The unit of one node, without its weight memory."""
    node = op.onnx_node
    if not isinstance(op, KernelOp):
        return _finn_unit(model, op, cfg)
    return kernel_unit(op, node.name, constants_of(model, node))


def _finn_unit(model: ModelWrapper, op: CustomOp, cfg: BuildConfig) -> Unit:
    node = op.onnx_node
    inputs = [op.get_instream_width(i) for i in range(1 + has_weights(node))]
    outputs = [op.get_outstream_width(i) for i in range(len(node.output))]
    names_in = [f"in{i}" for i in range(len(inputs))]
    names_out = [f"out{i}" for i in range(len(outputs))]
    nets = dict(zip([*names_in, *names_out], [*inputs, *outputs], strict=True))
    body = finn_instance(node, names_in, names_out, nets)
    with tempfile.TemporaryDirectory() as scratch:
        finn_unit(model, op, cfg, Path(scratch))
        files = {path.name: path.read_bytes() for path in Path(scratch).iterdir()}
    return Unit(node.name, top_module(node.name, inputs, outputs, body), files)


def synthesise_design(
    model: ModelWrapper, cfg: BuildConfig, out: Path, progress: Callable[[str], None]
) -> dict[str, Any]:
    """Write ``out``/synthesis.json and return it; results are kept by content in ``out``/cache.

    ``model`` is that of ``out``/stitch. ``progress`` is told how many instances are settled.
    ToolError if yosys fails.
    """
    units, settled = list(instances(model, cfg)), 0

    def done(number: int) -> None:
        nonlocal settled
        settled += number
        progress(f"{settled} of {len(units)} instances settled")

    counts = synthesise([i.unit for i in units], out / "cache", done)
    origin = {"config": cfg.as_dict(), **provenance()}
    result = {"design": _design(out), **origin, **summary(units, counts)}
    write_json(out / FILE, result)
    return result


def results(out: Path) -> list[Path]:
    """The file with the results of a build in ``out``, if there is one."""
    return [path for path in [out / FILE] if path.is_file()]


def by_kernel(out: Path) -> dict[str, Any] | None:
    """Sums by kernel of the results in ``out``; None without those of the stitched design."""
    for path in results(out):
        found = json.loads(path.read_text())
        if found["design"] == _design(out):
            return {name: found[name] for name in ("origin", "kernels", "over_max_levels")}
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
        row = {"kernel": instance.kernel, **asdict(count), "formula": formula}
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
        "instances": rows,
    }


def _empty() -> dict[str, Any]:
    zeros = dict.fromkeys(RESOURCES, 0)
    return {"instances": 0, "levels": 0, **zeros, "formula": dict(zeros)}
