# SPDX-License-Identifier: Apache-2.0
"""The examples that come with FINN and Brevitas: few bits, vectors, and pictures of CIFAR-10."""

import brevitas.nn as qnn
from brevitas.inject.enum import QuantType, ScalingImplType
from brevitas.quant import (
    Int8ActPerTensorFixedPoint,
    Int8ActPerTensorFloat,
    Int8WeightPerTensorFloat,
    TruncTo8bit,
)
from torch import nn

from tests.build_flows.brevitas_networks import (
    Flat,
    Residual,
    camera,
    conv,
    linear,
    plain,
    pooled,
    relu,
)
from tests.build_flows.well_known.layers import CIFAR, MNIST, Do, channel_relu


class FewBitsWeight(Int8WeightPerTensorFloat):
    """Binary or narrow weights of scale 1."""

    scaling_impl_type = ScalingImplType.CONST
    narrow_range = True
    scaling_const = 1.0


class FewBitsAct(Int8ActPerTensorFloat):
    """Binary or narrow activations from -1 to 1."""

    scaling_impl_type = ScalingImplType.CONST
    narrow_range = True
    min_val = -1.0
    max_val = 1.0


def few(bits):
    kind = QuantType.BINARY if bits == 1 else QuantType.INT
    return {"quant_type": kind, "bit_width": bits}


def few_act(bits):
    return qnn.QuantIdentity(act_quant=FewBitsAct, return_quant_tensor=True, **few(bits))


def few_weights(bits, kind, *sizes):
    """A layer with weights of -1 to 1."""
    options = {f"weight_{key}": value for key, value in few(bits).items()}
    layer = kind(*sizes, bias=False, weight_quant=FewBitsWeight, **options)
    nn.init.uniform_(layer.weight, -1, 1)
    return layer


def scalar_norm():
    """What a TensorNorm is at run time: one scale and one offset."""
    return Do(lambda x: (plain(x) - 0.7) / 3.1 * 1.2 + 0.1)


def fully_connected(width, wbits, abits, inbits=8, inputs=784):
    """TFC, SFC, LFC: pictures as vectors, three layers."""
    layers = [Flat(), Do(lambda x: 2.0 * x - 1.0), few_act(inbits)]
    for size in (inputs, width, width):
        layers += [nn.Dropout(0.2), few_weights(wbits, qnn.QuantLinear, size, width)]
        layers += [nn.BatchNorm1d(width), few_act(abits)]
    return [*layers, few_weights(wbits, qnn.QuantLinear, width, 10), scalar_norm()]


class Eights(Int8ActPerTensorFixedPoint):
    """A picture from -1 to 1 in eighth bits, a power of two."""

    scaling_impl_type = ScalingImplType.CONST
    min_val = -1.0
    max_val = 1.0 - 2.0**-7


def cnv(wbits, abits, width=16, dense=64):
    """Six valid convolutions, two poolings, three matrix products, on CIFAR-10."""
    layers = [
        Do(lambda x: 2.0 * x - 1.0),
        qnn.QuantIdentity(act_quant=Eights, return_quant_tensor=True),
    ]
    before = 3
    for row, pool in ((1, False), (1, True), (2, False), (2, True), (4, False), (4, False)):
        layer = few_weights(wbits, qnn.QuantConv2d, before, width * row, 3)
        layers += [layer, nn.BatchNorm2d(width * row, eps=1e-4), few_act(abits)]
        layers += [nn.MaxPool2d(2)] if pool else []
        before = width * row
    layers += [Flat()]
    for size in (before, dense):
        layers += [few_weights(wbits, qnn.QuantLinear, size, dense)]
        layers += [nn.BatchNorm1d(dense, eps=1e-4), few_act(abits)]
    return [*layers, few_weights(wbits, qnn.QuantLinear, dense, 10), scalar_norm()]


def mobilenet_v1(bits=4, channels=(8, 16, 32, 32)):
    """W4A4: a scale a channel before depthwise layers, truncating average pooling."""
    first, *rest = channels
    layers = [camera(), conv(3, first, stride=2), nn.BatchNorm2d(first), channel_relu(first, bits)]
    before = first
    for i, width in enumerate(rest):
        stride = 2 if i else 1
        layers += [conv(before, before, stride=stride, groups=before, bits=bits)]
        layers += [nn.BatchNorm2d(before), relu(bits)]
        layers += [conv(before, width, 1, bits=bits), nn.BatchNorm2d(width)]
        layers += [channel_relu(width, bits) if i < len(rest) - 1 else relu(bits)]
        before = width
    pool = qnn.TruncAvgPool2d(
        kernel_size=4, stride=1, trunc_quant=TruncTo8bit, bit_width=bits, return_quant_tensor=True
    )
    return [*layers, pool, Flat(), linear(before, 10, bits)]


def resnet(shared=True, bits=4, channels=(8, 16)):
    """Two stages of two basic blocks, with shared quantisers as Brevitas' for CIFAR-10 has."""
    before, *_ = channels
    stem = [conv(3, before, bits=bits), nn.BatchNorm2d(before), relu()]
    blocks = []
    for i, width in enumerate(channels):
        for j in range(2):
            stride = 2 if i and not j else 1
            source = stem[2] if not blocks else blocks[-1].out
            blocks.append(Residual(before, width, stride, shared, source))
            before = width
    return [camera(), *stem, *blocks, *pooled(before)]


NETWORKS = {  # name: (function that gives the layers, shape of the input)
    "tfc_w1a1": (lambda: fully_connected(64, 1, 1, 1), MNIST),
    "tfc_w1a2": (lambda: fully_connected(64, 1, 2, 2), MNIST),
    "tfc_w2a2": (lambda: fully_connected(64, 2, 2, 2), MNIST),
    "tfc_w1a1_in8": (lambda: fully_connected(64, 1, 1, 8), MNIST),
    "sfc_w1a1": (lambda: fully_connected(256, 1, 1, 1), MNIST),
    "lfc_w1a1": (lambda: fully_connected(1024, 1, 1, 1), MNIST),
    "cnv_w1a1": (lambda: cnv(1, 1), CIFAR),
    "cnv_w1a2": (lambda: cnv(1, 2), CIFAR),
    "cnv_w2a2": (lambda: cnv(2, 2), CIFAR),
    "mobilenet_v1_w4a4": (mobilenet_v1, CIFAR),
    "resnet_w4_shared": (resnet, CIFAR),
    "resnet_w4_free": (lambda: resnet(shared=False), CIFAR),
}  # fmt: skip
