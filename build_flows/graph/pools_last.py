# SPDX-License-Identifier: Apache-2.0
"""Maximum pooling goes behind the quantiser that follows it, which gives the same."""

from __future__ import annotations

from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from build_flows.graph.edit import is_a, nodes_of

QUANTISERS = ("Quant", "IntQuant", "BipolarQuant", "Trunc")
RISING = (*QUANTISERS, "Relu", "Clip", "Sigmoid", "Tanh", "Softplus", "Softsign", "Identity")
"""Operators that never give less for more, each element by itself: the largest stays it."""


class PoolsLast(Transformation):
    """A MaxPool of what no quantiser gives, before activations and a quantiser, goes behind them.

    There it compares few bits, of one scale above zero, none below that of its padding where the
    quantiser has no sign. The sign of a normalisation before it no longer counts.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for pool in reversed(nodes_of(model, "MaxPool", "GlobalMaxPool")):
            producer = model.find_producer(pool.input[0])
            if producer is None or is_a(producer, *QUANTISERS) or len(pool.output) > 1:
                continue
            if chain := _up_to_a_quantiser(model, pool):
                _swap(model, pool, chain)
        return model, False


def _up_to_a_quantiser(model: ModelWrapper, pool: NodeProto) -> list[NodeProto]:
    """The nodes behind a pooling up to a quantiser; none where one of them is no rising one."""
    chain: list[NodeProto] = []
    ends = {end.name for end in model.graph.output}
    last = pool
    while not is_a(last, *QUANTISERS):
        name = last.output[0]
        readers = model.find_consumers(name)
        if name in ends or len(readers) != 1 or not is_a(readers[0], *RISING):
            return []
        last = readers[0]
        if name != last.input[0]:
            return []
        chain.append(last)
    return chain


def _swap(model: ModelWrapper, pool: NodeProto, chain: list[NodeProto]) -> None:
    """Wire ``chain`` before ``pool``; its tensors are as large as that which is pooled."""
    source, sink, before = pool.input[0], chain[-1].output[0], model.make_new_valueinfo_name()
    chain[0].input[0] = source
    chain[-1].output[0], pool.input[0], pool.output[0] = before, before, sink
    for node in chain:
        model.set_tensor_shape(node.output[0], model.get_tensor_shape(source))
