# SPDX-License-Identifier: Apache-2.0
"""Parallelism of every kernel from a folding file, and width converters between kernels.

A folding file is JSON: node name -> {"SIMD": n, "PE": n, "kernel": k, "ramStyle": r}. ``SIMD``
folds the input channels of windows, padding and dense units, ``PE`` the output channels of dense
units and the lanes of our other kernels; ``kernel`` is "Dense" or, for FINN's unit in its place,
"MVAU", or "DensePumped" for ours with DSPs at twice the clock; ``ramStyle`` is the memory of the
weights or of a window. What is not named keeps one lane and the default. ``layer`` is the layer of
the network that the node belongs to, for the reader; it must be true. Where neighbouring widths
differ, a width converter is put between; branches that rejoin get FIFOs.
"""

from __future__ import annotations

import json
from pathlib import Path

from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.base import Transformation

from build_flows.graph.edit import apply_all, renamed, splice, streams_of
from build_flows.graph.layers import name_layers
from host.common.errors import UserError
from hw.ops.base import divisors
from hw.ops.unit import Stream, Unit
from hw.units import unit_of, units_of
from hw.units.mvau import in_place_of

Table = dict[str, dict[str, int | str]]
LAYER = "layer"  #: entry that names the layer of a unit


def fold(model: ModelWrapper, file: Path) -> ModelWrapper:
    """Fold ``model`` as ``file`` says; UserError names node, value and what is allowed."""
    table = read_table(file)
    apply_table(model, table, str(file))
    replaced = {name for name, row in table.items() if row.get("kernel") == "MVAU"}
    model = apply_all(model, ReplaceDense(replaced), ConvertWidths())
    for unit in units_of(model):
        unit.run_in_python()
    return name_layers(renamed(model))


def read_table(file: Path) -> Table:
    """The folding file as a dictionary; UserError if it is not one."""
    try:
        table = json.loads(file.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{file} is no folding file: {error}") from error
    if not isinstance(table, dict) or not all(isinstance(v, dict) for v in table.values()):
        raise UserError(f'{file} is no folding file; it must map node names to {{"PE": n, ...}}')
    return table


def apply_table(model: ModelWrapper, table: Table, where: str) -> None:
    """Set the attributes; depthwise kernels and their windows must agree."""
    units = {unit.name: unit for unit in units_of(model)}
    for name, attributes in table.items():
        if name not in units:
            raise UserError(f"{where} folds {name}, which the model does not have")
        for attribute, value in attributes.items():
            _apply(units[name], attribute, value, where)
    for unit in units.values():
        if unit.rigid:
            _check_lanes(unit_of(model.find_producer(unit.onnx_node.input[0])), unit)


def _check_lanes(window: Unit, unit: Unit) -> None:
    """Raise UserError unless ``unit`` takes the words of its window unchanged."""
    given, taken = window.get_fold("SIMD"), unit.get_fold("PE")
    if given != taken:
        raise UserError(
            f"SIMD={given} of {window.name} and PE={taken} of {unit.name} differ; "
            "a depthwise kernel takes its window's words unchanged"
        )


def _apply(unit: Unit, attribute: str, value: int | str, where: str) -> None:
    folds, names = unit.folds, unit.options
    layer = f"layer {unit.layer}: " if unit.layer else ""
    if attribute in folds:
        channels = folds[attribute]
        if not isinstance(value, int) or value < 1 or channels % value:
            raise UserError(
                f"{layer}{attribute}={value} does not divide the {channels} channels of "
                f"{unit.name}; use one of {divisors(channels)}"
            )
        unit.set_fold(attribute, value)
    elif attribute == LAYER:
        _check_layer(unit, str(value), where)
    elif attribute not in names:
        known = ", ".join((*folds, *names)) or "no fold"
        raise UserError(f"{layer}{where} sets {attribute} of {unit.name}; it has {known}")
    elif value not in names[attribute]:
        raise UserError(
            f"{layer}{where} sets {attribute}={value} of {unit.name}; "
            f"use {', '.join(names[attribute])}"
        )
    elif attribute == "ramStyle":
        unit.ram_style = str(value)
    elif attribute == "kernel":
        unit.choose_kernel(str(value))


def _check_layer(unit: Unit, layer: str, where: str) -> None:
    """Raise UserError if the file was written for a network in which the unit is another layer."""
    if unit.layer and layer != unit.layer:
        raise UserError(
            f"{where} takes {unit.name} for the layer {layer}, it is {unit.layer}: the file is for "
            "another network; explore this one, or correct the file"
        )


class ReplaceDense(Transformation):
    """FINN's dense unit, under the same name, in the place of ours for the nodes named."""

    def __init__(self, names: set[str]) -> None:
        super().__init__()
        self.names = names

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for index, node in enumerate(list(model.graph.node)):
            if node.name in self.names:
                model.graph.node.remove(node)
                model.graph.node.insert(index, in_place_of(getCustomOp(node)))
        return model, False


class ConvertWidths(Transformation):
    """A width converter on every stream whose ends have words of different lanes."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for unit in units_of(model):
            names = streams_of(model, unit.onnx_node)
            for name, taken in zip(names, unit.inputs, strict=True):
                given = _stream_from(model, name)
                if given is not None and given.lanes != taken.lanes:
                    splice(
                        model, name, "WidthConverter", given, taken.shape,
                        outPE=taken.lanes, outShape=taken.shape,
                    )  # fmt: skip
        return model, False


def _stream_from(model: ModelWrapper, tensor: str) -> Stream | None:
    """What the unit before a tensor says of it; None for the input of the graph."""
    source = model.find_producer(tensor)
    if source is None:
        return None
    return unit_of(source).outputs[list(source.output).index(tensor)]
