# SPDX-License-Identifier: Apache-2.0
"""Layers and quantisers as people put them together, each in a small network."""

import brevitas.nn as qnn
import torch
from brevitas.quant import (
    Int8ActPerTensorFloat,
    Int8BiasPerTensorFloatInternalScaling,
    Int8WeightPerChannelFloat,
    Int8WeightPerTensorFloat,
    Int16Bias,
    SignedTernaryWeightPerTensorConst,
    TruncTo8bit,
)
from torch import nn

from tests.build_flows.brevitas_networks import (
    Flat,
    block,
    camera,
    conv,
    ident,
    linear,
    plain,
    pooled,
    relu,
)
from tests.build_flows.well_known.layers import Do, between

SMALL = (3, 16, 16)


# -- numbers -------------------------------------------------------------------------------------


def odd_widths():
    """6, 5 and 3 bits of weights, 5, 3 and 7 of activations."""
    rows = ((3, 6, 5), (8, 5, 3), (8, 3, 7))
    body = [layer for n, w, a in rows for layer in block(n, 8, bits=w, abits=a)]
    return [camera(), *body, *pooled(8)]


class TwoWidths(nn.Module):
    """A sum of 4 bits and of 8."""

    def __init__(self):
        super().__init__()
        last = [conv(8, 8, bits=4), nn.BatchNorm2d(8), ident(4)]
        self.body = nn.Sequential(*block(8, 8, bits=4, abits=4), *last)
        self.short, self.out = ident(8), relu(8)

    def forward(self, x):
        return self.out(plain(self.body(x)) + plain(self.short(x)))


class Wide(Int8WeightPerTensorFloat):
    """Down to -128."""

    narrow_range = False


def weights_of(quantiser, abits=8):
    """Layers with weights of one quantiser, no bias."""
    given = {"weight_quant": quantiser, "bias": False}
    body = []
    for inputs in (3, 8):
        layer = qnn.QuantConv2d(inputs, 8, 3, padding=1, **given)
        body += [layer, nn.BatchNorm2d(8), relu(abits)]
    return [camera(), *body, *pooled(8)]


def biases(quantiser):
    """Quantised biases, and a QuantTensor at the end, whose scale and zero point are outputs."""
    given = {
        "weight_quant": Int8WeightPerChannelFloat, "bias": True, "bias_quant": quantiser,
        "return_quant_tensor": True,
    }  # fmt: skip
    body = [qnn.QuantConv2d(3, 8, 3, padding=1, stride=2, **given), relu()]
    body += [qnn.QuantConv2d(8, 8, 3, padding=1, **given), relu()]
    return [camera(), *body, *pooled(8, qnn.QuantLinear(8, 10, **given))]


# -- layers --------------------------------------------------------------------------------------


def normalised_input():
    """Mean and deviation of a data set, then a normalisation before the first convolution."""
    mean, deviation = (
        torch.tensor(row).view(1, 3, 1, 1) for row in ((0.48, 0.45, 0.4), (0.23, 0.22, 0.22))
    )
    body = [nn.BatchNorm2d(3), ident(), *block(3, 8, stride=2)]
    return [Do(lambda x: (x - mean) / deviation), *body, *pooled(8)]


def activated(*layers):
    return between(conv(8, 8), nn.BatchNorm2d(8), *layers)


def windows():
    """A truncating average of windows."""
    pool = qnn.TruncAvgPool2d(
        kernel_size=2, stride=2, trunc_quant=TruncTo8bit, bit_width=8, return_quant_tensor=True
    )
    return between(pool, *block(8, 8))


def headed(*layers):
    """A map of 8 x 8 x 8 before ``layers``."""
    return [camera(), *block(3, 8, stride=2), *layers]


def mean():
    return headed(Do(lambda x: plain(x).mean(dim=(2, 3))), ident(), linear(8, 10))


def viewed():
    return headed(nn.Dropout2d(0.2), Do(lambda x: plain(x).view(-1, 512)), linear(512, 10))


def along_time():
    """Strided and pooled along a length."""
    first = qnn.QuantConv1d(4, 8, 5, stride=2, bias=False)
    last = qnn.QuantConv1d(8, 8, 3, padding=1)
    body = [first, nn.BatchNorm1d(8), relu(), nn.AvgPool1d(2), ident(), last, relu()]
    return [ident(), *body, nn.AdaptiveAvgPool1d(1), Flat(), ident(), linear(8, 5)]


class Added(nn.Module):
    """Two ways through Brevitas' own sum."""

    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Sequential(*block(8, 8)), nn.Sequential(*block(8, 8, 1))
        self.add = qnn.QuantEltwiseAdd(
            input_quant=Int8ActPerTensorFloat, output_quant=Int8ActPerTensorFloat,
            return_quant_tensor=True,
        )  # fmt: skip

    def forward(self, x):
        return self.add(self.left(x), self.right(x))


class Twice(nn.Module):
    """One module after itself."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(*block(8, 8))

    def forward(self, x):
        return self.body(self.body(x))


def shuffled_pixels():
    return headed(conv(8, 4, 3), ident(), Do(plain), nn.PixelShuffle(2))


def super_resolution():
    """Blocks of pixels out of channels, sharpened, and out of channels again."""
    middle = [conv(8, 32), relu(), Do(plain), nn.PixelShuffle(2), *block(8, 8)]
    return headed(*middle, conv(8, 12), Do(plain), nn.PixelShuffle(2))


def unshuffled():
    """The other way round."""
    return headed(Do(plain), nn.PixelUnshuffle(2), *block(32, 8), *pooled(8))


def focused(x):
    """Every other pixel of the picture four times, as detectors begin."""
    x = plain(x)
    corners = [x[..., i::2, j::2] for j in (0, 1) for i in (0, 1)]
    return torch.cat(corners, 1)


def boxes(x):
    """The map of a detector as a list of rows: three a cell, seven numbers each."""
    x = plain(x)
    x = x.reshape(-1, 3, 7, *x.shape[2:]).permute(0, 1, 3, 4, 2)
    return x.reshape(-1, 3 * 8 * 8, 7)


def enlarged():
    return headed(nn.Upsample(scale_factor=2, mode="bilinear"), ident(), *pooled(8))


NETWORKS = {  # name: (function that gives the layers, shape of the input)
    "odd_widths": (odd_widths, SMALL),
    "sum_of_4_and_8_bits": (lambda: between(TwoWidths()), SMALL),
    "wide_weights": (lambda: weights_of(Wide), SMALL),
    "ternary_weights": (lambda: weights_of(SignedTernaryWeightPerTensorConst, 4), SMALL),
    "bias16": (lambda: biases(Int16Bias), SMALL),
    "bias8_own_scale": (lambda: biases(Int8BiasPerTensorFloatInternalScaling), SMALL),
    "normalised_input": (normalised_input, SMALL),
    "sigmoid_6_bits": (
        lambda: activated(qnn.QuantSigmoid(bit_width=6, return_quant_tensor=True)),
        SMALL,
    ),
    "tanh_5_bits": (
        lambda: activated(qnn.QuantTanh(bit_width=5, return_quant_tensor=True)),
        SMALL,
    ),
    "gelu": (lambda: activated(nn.GELU(), ident()), SMALL),
    "mish": (lambda: activated(nn.Mish(), ident()), SMALL),
    "trunc_pool": (windows, SMALL),
    "adaptive_pool": (
        lambda: headed(nn.AdaptiveAvgPool2d(2), ident(), Flat(), linear(32, 10)),
        SMALL,
    ),
    "mean": (mean, SMALL),
    "view": (viewed, SMALL),
    "along_time": (along_time, (4, 64)),
    "eltwise_add": (lambda: between(Added(), *block(8, 8)), SMALL),
    "twice": (lambda: between(Twice()), SMALL),
    "pixel_shuffle": (shuffled_pixels, SMALL),
    "super_resolution": (super_resolution, SMALL),
    "pixel_unshuffle": (unshuffled, SMALL),
    "focus": (lambda: [camera(), Do(focused), *block(12, 8), *pooled(8)], SMALL),
    "detector_rows": (lambda: headed(conv(8, 21, 1), Do(boxes)), SMALL),
    "centre_crop": (
        lambda: headed(Do(lambda x: plain(x)[..., 1:-1, 2:-1]), *block(8, 8), *pooled(8)),
        SMALL,
    ),
    "bilinear": (enlarged, SMALL),
    "group_norm": (lambda: between(conv(8, 8), nn.GroupNorm(2, 8), relu()), SMALL),
    "norm_before_conv": (
        lambda: between(nn.BatchNorm2d(8), conv(8, 8, padding=0), relu()),
        SMALL,
    ),
    "float_head": (lambda: headed(*pooled(8, nn.Linear(8, 10))), SMALL),
    "softmax": (lambda: headed(*pooled(8), nn.Softmax(1)), SMALL),
}  # fmt: skip
