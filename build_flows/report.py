# SPDX-License-Identifier: Apache-2.0
"""What a build gives to people and to the host: report.json, face.png, settings.json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper

from build_flows import synthesise, timing
from build_flows.config import BuildConfig
from build_flows.design.activity import Flow, activities, draw, write_table
from build_flows.design.simulate import SIMULATOR
from build_flows.design.sizing import TABLE as FIFO_TABLE
from build_flows.design.stitch import Design, weight_memories
from build_flows.design.verify import Golden
from build_flows.explore.budget import RESOURCES, SHELL, budget_of
from build_flows.flow import Job
from build_flows.graph.streamline import OUTPUT_AFFINE, OUTPUTS, metadata
from build_flows.parts import part_of
from host.board.settings import FILE as SETTINGS
from host.board.settings import FORMAT
from host.common.accumulators import landmarks_of
from host.common.arrays import IntArray
from host.common.atomic import write_bytes, write_image, write_text
from host.common.json_file import read_object, write_json
from host.common.provenance import provenance
from host.face.crop import PORTRAIT_SQUARE, crop_square
from host.face.draw import draw_landmarks, side_by_side
from host.face.image import astronaut
from host.face.landmarks import COUNT
from hw.ops import weight_port
from hw.ops.unit import Resources
from hw.units import ends_of, units_of

LOWER_MHZ = 200.0  #: clock at which the rate is told too
PRODUCTS = ("report.json", "timing.md", "face.png", SETTINGS, "activity.csv", "activity.png")


def write_report(model: ModelWrapper, job: Job, simulated: Path) -> None:
    """Write the products into the step's folder from the results in ``simulated``."""
    cfg, golden, folder = job.cfg, job.golden, job.folder
    measured = read_object(simulated / "timing.json")
    flows = [Flow(*flow) for flow in measured.pop("flows")]
    cycles, kernels = measured["cycles_per_frame"], resources(model, cfg.part)
    spent = budget(kernels, cfg.part)
    found = np.load(simulated / "full_rate.npy")
    expected = golden.repeated(len(found)).accumulators
    affine = json.loads(model.get_metadata_prop(OUTPUT_AFFINE))
    report = {
        "config": cfg.as_dict(),
        "bit_exact": bool((found == expected).all()),
        "outputs_exact": int((found == expected).all(axis=0).sum()),
        "outputs": int(found.shape[1]),
        "frames_checked": len(found),
        **equality(found, affine, golden),
        **measured,
        "clk_mhz": cfg.clk_mhz,
        "fps": round(cfg.clk_mhz * 1e6 / cycles, 1),
        "fps_origin": f"simulated cycles at an assumed clock of {cfg.clk_mhz:g} MHz",
        "rates": rates(model, cfg, cycles),
        **multiplications(model, cycles),
        "resources": kernels,
        "layers": layers(model, cfg.part),
        "budget": spent,
        "fill": timing.fill(spent, cfg.part),
        "fifos": read_object(job.of("size") / FIFO_TABLE),
        "synthesis": synthesise.by_kernel(job.out),
        **provenance(),
    }
    write_json(folder / "report.json", report)
    write_text(folder / "timing.md", timing.page(report))
    settings = host_settings(model, cfg) | {"simulator": f"{simulated.name}/{SIMULATOR}"}
    write_json(folder / SETTINGS, settings)
    rows = activities(model, Design.read(job.of("stitch") / "design").streams, flows, cycles)
    write_table(rows, folder / "activity.csv")
    computing = {unit.name for unit in units_of(model) if not unit.passes_on}
    draw([row for row in rows if row.unit in computing], cycles, folder / "activity.png")
    if cfg.task == "landmarks":
        draw_face(found[0], affine, golden, folder / "face.png")


def equality(found: IntArray, affine: dict[str, Any], golden: Golden) -> dict[str, Any]:
    """On how many images the outputs are those of the QONNX file, and the largest distance.

    Nothing for our own files, whose reference are integers. ``found`` (frames, outputs).
    """
    wanted = golden.repeated(len(found)).file_outputs
    if wanted is None:
        return {}
    scale, bias = (np.asarray(affine[name]) for name in ("scale", "bias"))
    steps = np.abs((wanted - bias) / scale - found)[: len(golden.images)]
    equal = (np.rint(steps) == 0).all(axis=1)
    return {
        "equal_to_file": int(equal.sum()),
        "images_compared": len(equal),
        "distance_to_file": float((np.rint(steps) * np.abs(scale)).max()),
    }


def rates(model: ModelWrapper, cfg: BuildConfig, cycles: int) -> list[dict[str, float]]:
    """Frames per second at the assumed clock and at LOWER_MHZ, beside them the second clock.

    ``cycles`` of a frame. Only a design with units of that kind has a second clock.
    """
    doubled = any(unit.double_clock for unit in units_of(model))
    return [
        {"clk_mhz": mhz, **({"clk2x_mhz": 2 * mhz} if doubled else {}),
         "fps": round(mhz * 1e6 / cycles, 1)}
        for mhz in dict.fromkeys((cfg.clk_mhz, LOWER_MHZ))
    ]  # fmt: skip


def multiplications(model: ModelWrapper, cycles: int) -> dict[str, float]:
    """Multiplications of a frame and the share of what the DSPs for them could do.

    A DSP does two a cycle of its clock, four of the clock where that is doubled.
    """
    multipliers = [unit for unit in units_of(model) if unit.multiplications]
    macs = sum(unit.multiplications for unit in multipliers)
    possible = sum(unit.resources().dsp * (4 if unit.double_clock else 2) for unit in multipliers)
    return {"macs": macs, "mac_efficiency": round(macs / (cycles * possible), 4)}


def publish(folder: Path, out: Path) -> None:
    """Copy the products of a finished report step to where people and the host look for them."""
    for name in PRODUCTS:
        if (folder / name).is_file():
            write_bytes(out / name, (folder / name).read_bytes())


def withdraw(out: Path) -> None:
    """Remove the products of an earlier build, which belong to steps that are about to change."""
    for name in PRODUCTS:
        (out / name).unlink(missing_ok=True)


def host_settings(model: ModelWrapper, cfg: BuildConfig) -> dict[str, Any]:
    """What the host must know of the accelerator."""
    affine = json.loads(model.get_metadata_prop(OUTPUT_AFFINE))
    first, last = ends_of(model)
    return {
        "format": FORMAT,
        "config": cfg.name,
        "network": cfg.model.stem,
        "input": {
            "shape": model.get_tensor_shape(model.graph.input[0].name)[1:],
            "dtype": first.inputs[0].datatype.name,
            "scale": cfg.input_scale,
            "offset": cfg.input_offset,
        },
        "output": {
            "shape": [len(affine["scale"])],
            "dtype": last.outputs[0].datatype.name,
            **affine,
        },
        "task": cfg.task,
        "outputs": metadata(model, OUTPUTS),
        "clk_mhz": cfg.clk_mhz,
        "origin": {"part": cfg.part, **provenance()},
    }


def resources(model: ModelWrapper, part: str) -> dict[str, dict[str, Any]]:
    """Sum over the instances of each kernel: count, LUT, FF, DSP, BRAM18, URAM and their origin."""
    table: dict[str, dict[str, Any]] = {}
    for kernel, cost in _costs(model, part_of(part).operand_bits):
        row = table.setdefault(kernel, {"instances": 0, "origin": cost.origin})
        row["instances"] += 1
        for name, value in asdict(cost).items():
            if name != "origin":
                row[name] = row.get(name, 0) + value
    return table


def layers(model: ModelWrapper, part: str) -> dict[str, dict[str, Any]]:
    """What each layer of the network has become: units, cost, and the slowest's cycles by formula.

    Layers in the order of the data, with the names of folding files and activity.csv; "" holds what
    no layer is known of. A weight memory counts for the unit that it stands beside.
    """
    memories, table = weight_memories(model), dict[str, dict[str, Any]]()
    operand_bits = part_of(part).operand_bits
    for unit in units_of(model):
        row = table.setdefault(unit.layer, {"units": [], "cycles": 0})
        row["units"].append(unit.name)
        row["cycles"] = max(row["cycles"], unit.cycles)
        costs = [unit.resources_on(operand_bits)]
        if unit.name in memories:
            costs.append(memories[unit.name][0].resources())
        for name in RESOURCES:
            row[name] = row.get(name, 0) + sum(getattr(cost, name) for cost in costs)
    return table


def budget(kernels: dict[str, dict[str, Any]], part: str) -> dict[str, Any]:
    """Sum of ``resources`` and the shell of the board beside what a design may take of ``part``."""
    limits = budget_of(part).limits
    rows = {
        name: {
            "used": shell + sum(row.get(name, 0) for row in kernels.values()),
            "shell": shell,
            "allowed": limit,
        }
        for name, shell, limit in zip(RESOURCES, SHELL, limits, strict=True)
    }
    return rows | {"kept": all(row["used"] <= row["allowed"] for row in rows.values())}


def _costs(model: ModelWrapper, operand_bits: int) -> Iterator[tuple[str, Resources]]:
    for unit in units_of(model):
        yield unit.kernel, unit.resources_on(operand_bits)
    memories = [memory for memory, _ in weight_memories(model).values()]
    for memory in memories:
        yield memory.rtl_module, memory.resources()
    if memories:
        yield weight_port.KERNEL, weight_port.resources()


def draw_face(accumulators: IntArray, affine: dict[str, Any], golden: Golden, path: Path) -> None:
    """Landmarks of the first golden image, on the portrait if that is what the image shows.

    Networks with other than 98 landmarks have no picture.
    """
    scale, bias = (np.asarray(affine[name]) for name in ("scale", "bias"))
    fractions = landmarks_of(accumulators[np.newaxis], scale, bias)[0]
    if len(fractions) != COUNT:
        return
    image, caption = golden.images[0], "landmarks of the simulated accelerator"
    picture = astronaut()
    if np.array_equal(crop_square(picture, PORTRAIT_SQUARE, len(image)), image):
        marks = PORTRAIT_SQUARE.to_image(fractions)
        drawn = side_by_side(picture, marks, PORTRAIT_SQUARE, caption=caption)
    else:
        drawn = draw_landmarks(image, fractions * len(image), caption=caption)
    write_image(path, drawn)
