# SPDX-License-Identifier: Apache-2.0
"""Other quantisers, and floating-point networks that Brevitas quantises by itself."""

import brevitas.nn as qnn
import torch
from brevitas.quant import (
    Int8ActPerTensorFixedPoint,
    Int8WeightPerTensorFixedPoint,
    Int32Bias,
    ShiftedUint8ActPerTensorFloat,
    Uint8ActPerTensorFixedPoint,
    Uint8ActPerTensorFloatMaxInit,
)
from torch import nn

from tests.build_flows.brevitas_networks import Flat, block, conv, pooled, relu
from tests.build_flows.well_known.layers import CIFAR, between, channel_relu


def fixed_point():
    """Scales that are powers of two throughout."""

    def act():
        return qnn.QuantReLU(act_quant=Uint8ActPerTensorFixedPoint, return_quant_tensor=True)

    few = {"weight_quant": Int8WeightPerTensorFixedPoint, "bias": True, "bias_quant": Int32Bias}
    return [
        qnn.QuantIdentity(act_quant=Int8ActPerTensorFixedPoint, return_quant_tensor=True),
        qnn.QuantConv2d(3, 8, 3, padding=1, stride=2, **few), act(),
        qnn.QuantConv2d(8, 8, 3, padding=1, **few), act(), nn.AvgPool2d(2),
        qnn.QuantIdentity(act_quant=Int8ActPerTensorFixedPoint, return_quant_tensor=True),
        Flat(), qnn.QuantLinear(512, 10, **few),
    ]  # fmt: skip


def act_of(quantiser, **options):
    return qnn.QuantReLU(act_quant=quantiser, return_quant_tensor=True, **options)


def shifted(padding):
    quantiser = {"act_quant": ShiftedUint8ActPerTensorFloat, "return_quant_tensor": True}
    return [
        qnn.QuantIdentity(**quantiser), conv(3, 8, stride=2, padding=padding), nn.BatchNorm2d(8),
        qnn.QuantIdentity(**quantiser), conv(8, 8, padding=padding), nn.BatchNorm2d(8), relu(),
        *pooled(8),
    ]  # fmt: skip


class Plain(nn.Module):
    """A floating-point network as torchvision writes them, for quantisation by rewriting."""

    def __init__(self):
        super().__init__()

        def stage(inputs, outputs, stride=1):
            return nn.Sequential(
                nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs),
                nn.ReLU(),
            )  # fmt: skip

        self.stem, self.a, self.b = stage(3, 8, 2), stage(8, 8), stage(8, 8)
        self.pool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(8, 10)

    def forward(self, x):
        x = self.stem(x)
        x = torch.relu(x + self.b(self.a(x)))
        return self.fc(torch.flatten(self.pool(x), 1))


def by_layer():
    from brevitas.graph.quantize import layerwise_quantize

    return layerwise_quantize(Plain().eval())


def by_graph():
    from brevitas.graph.quantize import preprocess_for_quantize, quantize

    model = preprocess_for_quantize(Plain().eval())
    return quantize(model)


NETWORKS = {  # name: (function that gives the layers, shape of the input)
    "relu_per_channel": (lambda: between(
        conv(8, 8), nn.BatchNorm2d(8), channel_relu(8), *block(8, 8)), CIFAR),
    "fixed_point": (fixed_point, CIFAR),
    "max_init": (lambda: between(
        conv(8, 8), nn.BatchNorm2d(8), act_of(Uint8ActPerTensorFloatMaxInit, max_val=6.0),
    ), CIFAR),
    "shifted_valid": (lambda: shifted(0), CIFAR),
    "shifted_padded": (lambda: shifted(1), CIFAR),
    "layerwise": (lambda: [by_layer()], CIFAR),
    "flexml": (lambda: [by_graph()], CIFAR),
}  # fmt: skip
