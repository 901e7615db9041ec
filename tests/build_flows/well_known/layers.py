# SPDX-License-Identifier: Apache-2.0
"""Layers and joins that the families share."""

import brevitas.nn as qnn
import torch
from brevitas.quant import Int8WeightPerTensorFloat, Uint8ActPerTensorFloat
from torch import nn

from tests.build_flows.brevitas_networks import block, camera, plain, pooled

CIFAR, MNIST = (3, 32, 32), (1, 28, 28)  #: shapes of inputs


class Do(nn.Module):
    """A function as a layer."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Branches(nn.Module):
    """Several ways from one tensor; ``join`` takes what they give."""

    def __init__(self, join, *branches):
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self.join = join

    def forward(self, x):
        return self.join([branch(x) for branch in self.branches])


def several(found):
    return tuple(found)


def catted(found):
    return torch.cat([plain(x) for x in found], 1)


def summed(found):
    return sum(plain(x) for x in found[1:]) + plain(found[0])


def channel_relu(channels, bits=4, **options):
    return qnn.QuantReLU(
        act_quant=Uint8ActPerTensorFloat, bit_width=bits, return_quant_tensor=True,
        scaling_per_output_channel=True, per_channel_broadcastable_shape=(1, channels, 1, 1),
        scaling_stats_permute_dims=(1, 0, 2, 3), **options,
    )  # fmt: skip


def up(inputs, outputs, kernel=2, stride=2, padding=0, **options):
    """A transposed convolution."""
    return qnn.QuantConvTranspose2d(
        inputs, outputs, kernel, stride=stride, padding=padding, bias=False,
        weight_quant=Int8WeightPerTensorFloat, **options,
    )  # fmt: skip


def between(*layers, channels=8):
    return [camera(), *block(3, 8, stride=2), *layers, *pooled(channels)]
