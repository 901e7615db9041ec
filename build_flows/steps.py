# SPDX-License-Identifier: Apache-2.0
"""The steps of a build, in order; each is a function on the model, see build_flows.flow."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

from onnx import ModelProto, NodeProto, ValueInfoProto
from onnx.checker import check_model
from onnx.helper import make_opsetid
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.fold_constants import FoldConstants
from qonnx.transformation.general import (
    GiveReadableTensorNames,
    GiveUniqueNodeNames,
    GiveUniqueParameterTensors,
    RemoveStaticGraphInputs,
    RemoveUnusedTensors,
)
from qonnx.transformation.infer_shapes import InferShapes
from qonnx.transformation.remove import RemoveUnusedNodes

from build_flows import report, synthesise
from build_flows.cpp import network as hls
from build_flows.design import generate, simulate, sizing, stitch
from build_flows.flow import Job, Step
from build_flows.graph import folding, mapping, streamline
from build_flows.graph.edit import bypass, is_a, nodes_of, read_once
from build_flows.graph.execute import QUANT_DOMAINS
from build_flows.graph.outputs import keep_names
from host.board.settings import FILE as SETTINGS
from host.common.errors import UserError, first_line
from host.common.json_file import write_json
from hw.ops.constants import fold_constants
from hw.ops.layers import tag_layers

CLEAN_UP = (
    InferShapes(),
    GiveUniqueParameterTensors(),
    FoldConstants(exclude_op_types=["Quant", "BipolarQuant"]),
    RemoveUnusedTensors(),
    RemoveStaticGraphInputs(),
    GiveUniqueNodeNames(),
    GiveReadableTensorNames(),
)
"""What qonnx's own clean-up does, but for one: it turns weights and leaves their scales."""


def load(model: ModelWrapper, job: Job) -> ModelWrapper:
    """Cleaned QONNX model; UserError if it has no quantisers."""
    return cleaned(model, job.cfg.model)


def cleaned(model: ModelWrapper, path: Path | str) -> ModelWrapper:
    """The model of the file ``path`` with constants folded, shapes and layers known.

    UserError for a graph that breaks the rules of ONNX, whatever library finds it out.
    """
    if not nodes_of(model, "Quant", "IntQuant", "BipolarQuant"):
        raise UserError(
            f"{path} has no Quant node; export it with `python -m model export`, or with "
            "brevitas.export.export_qonnx"
        )
    try:
        _check(model)
        _one_frame(model)
        _channels_first(model)
        _one_quant(model)
        model = fold_constants(model)
        _drop_constant_outputs(model)
        model = model.transform(RemoveUnusedNodes(), make_deepcopy=False)
        keep_names(model)
        tag_layers(model)  # the clean-up gives nodes other names
        read_once(model)
        for step in CLEAN_UP:
            model = model.transform(step)
        return model
    except UserError:
        raise
    except Exception as error:  # of onnx, onnxruntime and qonnx, each has its own
        reason = first_line(error)
        raise UserError(f"{path} is no sound ONNX graph: {reason}; export it again") from error


def _one_frame(model: ModelWrapper) -> None:
    """A batch without a number is one frame."""
    constants = {array.name for array in model.graph.initializer}
    for end in (*model.graph.input, *model.graph.output):
        if end.name in constants:
            continue
        sizes = end.type.tensor_type.shape.dim
        if sizes and not sizes[0].dim_value:
            sizes[0].dim_value = 1
            del model.graph.value_info[:]


def _channels_first(model: ModelWrapper) -> None:
    """Without the Transpose of a picture whose channels come last: the accelerator takes them last
    anyway. That of an output is an order of its elements."""
    graph = model.graph
    source = next(end for end in graph.input if model.get_initializer(end.name) is None)
    readers = [node for node in graph.node if source.name in node.input]
    if len(readers) == 1 and _turns(readers[0], [0, 3, 1, 2]):
        _set_order(source, (0, 3, 1, 2))
        bypass(model, readers[0])
        del graph.value_info[:]


def _one_quant(model: ModelWrapper) -> None:
    """Quant under its other name and in its other domains is Quant."""
    for node in nodes_of(model, "Quant", "IntQuant", "BipolarQuant", "Trunc"):
        node.op_type = "Quant" if node.op_type == "IntQuant" else node.op_type
        node.domain = QUANT_DOMAINS[0]
    imported = {opset.domain for opset in model.model.opset_import}
    if QUANT_DOMAINS[0] not in imported:
        model.model.opset_import.append(make_opsetid(QUANT_DOMAINS[0], 1))


def _turns(node: NodeProto | None, order: list[int]) -> bool:
    """Whether a node is a Transpose of that order."""
    given = [list(a.ints) for a in node.attribute] if is_a(node, "Transpose") else []
    return given == [order]


def _set_order(end: ValueInfoProto, order: Sequence[int]) -> None:
    sizes = end.type.tensor_type.shape.dim
    old = [copy.copy(size) for size in sizes]
    if len(old) == len(order):
        for size, at in zip(sizes, order, strict=True):
            size.CopyFrom(old[at])


def _drop_constant_outputs(model: ModelWrapper) -> None:
    """A network that ends in a QuantTensor gives its scale, zero point and bits as outputs of their
    own; they go."""
    graph = model.graph
    varying = {end.name for end in graph.input} - {array.name for array in graph.initializer}
    for node in graph.node:
        if varying.intersection(node.input):
            varying.update(node.output)
    kept = [end for end in graph.output if end.name in varying]
    del graph.output[:]
    graph.output.extend(kept)


def _check(model: ModelWrapper) -> None:
    """Raise what onnx finds wrong; shapes of outputs may be missing, they are inferred."""
    copy = ModelProto()
    copy.CopyFrom(model.model)
    for end in copy.graph.output:
        end.type.tensor_type.shape.SetInParent()
    check_model(copy)


def _streamline(model: ModelWrapper, job: Job) -> ModelWrapper:
    return streamline.streamline(model, job.cfg.input_scale, job.cfg.input_offset)


def _map(model: ModelWrapper, job: Job) -> ModelWrapper:
    return mapping.map_to_kernels(model, job.cfg.part)


def _fold(model: ModelWrapper, job: Job) -> ModelWrapper:
    return folding.fold(model, job.cfg.folding)


def _size(model: ModelWrapper, job: Job) -> ModelWrapper:
    return sizing.size_fifos(model, job.cfg, job.golden, job.folder, job.cache)


def _hls(model: ModelWrapper, job: Job) -> ModelWrapper:
    """Beside the RTL, so the model stays as it is."""
    hls.write_network(model, job.folder)
    hls.write_scripts(job.folder, job.cfg, job.golden)
    settings = report.host_settings(model, job.cfg)
    write_json(job.folder / SETTINGS, settings)
    return model


def _generate(model: ModelWrapper, job: Job) -> ModelWrapper:
    return generate.generate(model, job.cfg, job.folder)


def _stitch(model: ModelWrapper, job: Job) -> ModelWrapper:
    return stitch.stitch(model, job.of("generate") / "rtl", job.folder / "design")


def _simulate(model: ModelWrapper, job: Job) -> ModelWrapper:
    design = job.of("stitch") / "design"
    simulate.simulate(model, design, job.golden, job.cfg.frames, job.folder, job.cache)
    return model


def _report(model: ModelWrapper, job: Job) -> ModelWrapper:
    report.write_report(model, job, job.of("simulate"))
    return model


STEPS = [
    Step("load", load, integer=False),
    Step("streamline", _streamline),
    Step("map", _map),
    Step("fold", _fold, reads=lambda job: [job.cfg.folding]),
    Step("size", _size),
    Step("hls", _hls, integer=False),
    Step("generate", _generate),
    Step("stitch", _stitch),
    Step("simulate", _simulate),
    Step("report", _report, reads=lambda job: synthesise.results(job.out)),
]
