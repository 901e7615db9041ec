# SPDX-License-Identifier: Apache-2.0
"""Small networks as users of Brevitas write them, exported as its documentation shows.

Nothing of this project is in them. Weights are random, statistics come from data: they are for
exactness, not for accuracy. ``python -m tests.build_flows.brevitas_networks FOLDER [NAME ...]``
writes NAME.onnx.
"""

import argparse
import warnings
from pathlib import Path

import brevitas.nn as qnn
import numpy as np
import torch
from brevitas.export import export_qonnx
from brevitas.inject.enum import ScalingImplType
from brevitas.quant import (
    Int8ActPerTensorFloat,
    Int8WeightPerChannelFloat,
    Int32Bias,
    Uint8ActPerTensorFloat,
)
from torch import nn

PASSES = 24  #: forward passes, of which activation quantisers gather in all but a few
GREY = (1, 32, 32)
MANY = {"act_quant": Uint8ActPerTensorFloat, "return_quant_tensor": True}
SIGNED = {"act_quant": Int8ActPerTensorFloat, "return_quant_tensor": True}


class Camera(Uint8ActPerTensorFloat):
    """A byte as byte / 255."""

    scaling_impl_type = ScalingImplType.CONST
    scaling_init = 1.0


# -- layers ------------------------------------------------------------------------------------


def camera():
    return qnn.QuantIdentity(act_quant=Camera, return_quant_tensor=True)


def relu(bits=8, **options):
    return qnn.QuantReLU(bit_width=bits, **MANY, **options)


def ident(bits=8, **options):
    return qnn.QuantIdentity(bit_width=bits, **SIGNED, **options)


def conv(inputs, outputs, kernel=3, stride=1, padding=None, groups=1, bits=8, **options):
    """A convolution that keeps the size at stride 1, without bias unless told."""
    if padding is None:
        padding = kernel // 2
    return qnn.QuantConv2d(
        inputs, outputs, kernel, stride=stride, padding=padding, groups=groups,
        weight_quant=Int8WeightPerChannelFloat, weight_bit_width=bits,
        **({"bias": False} | options),
    )  # fmt: skip


def block(inputs, outputs, *args, abits=8, **options):
    """Convolution, batch normalisation, ReLU."""
    return [conv(inputs, outputs, *args, **options), nn.BatchNorm2d(outputs), relu(abits)]


def linear(inputs, outputs, bits=8, **options):
    return qnn.QuantLinear(
        inputs, outputs, weight_quant=Int8WeightPerChannelFloat, weight_bit_width=bits,
        **({"bias": True} | options),
    )  # fmt: skip


class Flat(nn.Module):
    def forward(self, x):
        return torch.flatten(x, 1)


def pooled(channels, *last, requant=True):
    """Global average pool, quantiser and a last layer, of 10 classes unless told."""
    quantiser = [ident()] if requant else []
    return [nn.AdaptiveAvgPool2d(1), Flat(), *quantiser, *(last or [linear(channels, 10)])]


def plain(x):
    """Without the scale, of which Brevitas refuses unequal ones in a sum."""
    return getattr(x, "value", x)


class Residual(nn.Module):
    """Basic block; its two operands share one quantiser, or have each its own."""

    def __init__(self, inputs, outputs, stride, shared, source=None):
        super().__init__()
        self.first = nn.Sequential(*block(inputs, outputs, stride=stride))
        self.second = nn.Sequential(conv(outputs, outputs), nn.BatchNorm2d(outputs))
        self.short, self.shared = nn.Identity(), shared
        if changes := stride != 1 or inputs != outputs:
            short = conv(inputs, outputs, kernel=1, stride=stride)
            self.short = nn.Sequential(short, nn.BatchNorm2d(outputs))
        self.left = source if shared and source is not None and not changes else relu()
        self.right = (self.left if shared else relu()) if changes else nn.Identity()
        self.out = relu()

    def forward(self, x):
        a, b = self.right(self.short(x)), self.left(self.second(self.first(x)))
        return self.out(a + b if self.shared else plain(a) + plain(b))


def resnet8(shared):
    """MLPerf Tiny's topology, narrower."""
    stem = block(1, 8)
    rows = [(8, 8, 1), (8, 16, 2), (16, 32, 2)]
    sources = [stem[2], None, None]
    blocks = [Residual(*row, shared, source) for row, source in zip(rows, sources, strict=True)]
    return [camera(), *stem, *blocks, *pooled(32)]


class Fire(nn.Module):
    """Two convolutions side by side, joined, through one quantiser or each its own."""

    def __init__(self, shared):
        super().__init__()
        self.a = nn.Sequential(conv(8, 8, 1), nn.BatchNorm2d(8))
        self.b = nn.Sequential(conv(8, 16), nn.BatchNorm2d(16))
        self.qa = relu()
        self.qb = self.qa if shared else relu()

    def forward(self, x):
        a, b = self.qa(self.a(x)), self.qb(self.b(x))
        return torch.cat([a, b] if self.qa is self.qb else [plain(a), plain(b)], 1)


class Heads(nn.Module):
    """Two outputs."""

    def __init__(self, channels):
        super().__init__()
        self.a, self.b = linear(channels, 4), linear(channels, 2)

    def forward(self, x):
        return self.a(x), self.b(x)


# -- networks ----------------------------------------------------------------------------------


def conv3(channels=1, bits=8, abits=8, source=camera, classes=10, requant=True):
    sizes = {"bits": bits, "abits": abits}
    last = linear
    body = [
        *block(channels, 8, stride=2, **sizes), *block(8, 16, **sizes),
        *block(16, 16, stride=2, **sizes),
    ]  # fmt: skip
    return [source(), *body, *pooled(16, last(16, classes, bits), requant=requant)]


def mobilenet(bits=8, abits=8):
    sizes = {"bits": bits, "abits": abits}
    rows = [(8, 16, 1), (16, 32, 2), (32, 32, 1)]
    body = block(1, 8, stride=2, **sizes)
    for inputs, outputs, stride in rows:
        body += block(inputs, inputs, stride=stride, groups=inputs, **sizes)
        body += block(inputs, outputs, kernel=1, **sizes)
    return [camera(), *body, *pooled(32)]


def mlp(flat):
    body = []
    for inputs, outputs in ((64, 32), (32, 16)):
        body += [linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), relu()]
    return [camera(), *([Flat()] if flat else []), *body, linear(16, 10)]


def lenet():
    """LowPrecisionLeNet of Brevitas' README: biases, maximum pooling, flattened, 4 bits."""
    few = {"weight_bit_width": 4, "bias": True}
    biased = few | {"bias_quant": Int32Bias}

    def act():
        return qnn.QuantReLU(bit_width=4, return_quant_tensor=True)

    return [
        qnn.QuantIdentity(bit_width=4, return_quant_tensor=True),
        qnn.QuantConv2d(3, 6, 5, **biased), act(), nn.MaxPool2d(2),
        qnn.QuantConv2d(6, 16, 5, **biased), act(), nn.MaxPool2d(2), Flat(),
        qnn.QuantLinear(400, 120, **biased), act(), qnn.QuantLinear(120, 84, **biased), act(),
        qnn.QuantLinear(84, 10, **few),
    ]  # fmt: skip


def inside(layers, channels=8, first=2):
    """``layers`` between a convolution and the usual end."""
    return [camera(), *block(1, 8, stride=first), *layers, *pooled(channels)]


def activation(*layers):
    """What stands between a batch normalisation and the next layer."""
    return inside([conv(8, 8), nn.BatchNorm2d(8), *layers])


def narrow(bits):
    """Signed narrow-range activations, as in Brevitas' example of binary networks."""
    body = []
    for _ in range(2):
        body += [conv(8, 8), nn.BatchNorm2d(8), ident(bits, narrow_range=True)]
    return inside(body)


def decoder(*between):
    """A map as output."""
    body = [*block(1, 8, stride=2), *block(8, 8), *between, *block(8, 8)]
    return [camera(), *body, conv(8, 2, 1)]


def maxpool(*last):
    body = [*block(1, 8), nn.MaxPool2d(2), *block(8, 16), nn.MaxPool2d(2)]
    return [camera(), *body, *(last or pooled(16))]


NETWORKS = {  # name: (function that gives the layers, shape of the input)
    "c0_docs_lenet": (lenet, (3, 32, 32)),
    "c1_bias32": (
        lambda: [
            camera(), *block(1, 8, stride=2), *block(8, 8),
            *pooled(8, linear(8, 10, bias_quant=Int32Bias)),
        ],
        GREY,
    ),
    "c1_conv3": (conv3, GREY),
    "c1_conv3_rgb": (lambda: conv3(3), (3, 32, 32)),
    "c1_conv3_nopoolq": (lambda: conv3(requant=False), GREY),
    "c1_conv3_int8in": (lambda: conv3(source=ident), GREY),
    "c1_conv3_3cls": (lambda: conv3(classes=3), GREY),
    "c1_conv3_rect": (conv3, (1, 24, 40)),
    "c2_mobilenetv1": (mobilenet, GREY),
    "c3_resnet8": (lambda: resnet8(shared=True), GREY),
    "c3_resnet8_free": (lambda: resnet8(shared=False), GREY),
    "c4_mlp_image": (lambda: mlp(flat=True), (1, 8, 8)),
    "c4_mlp_vector": (lambda: mlp(flat=False), (64,)),
    "c5_maxpool": (maxpool, GREY),
    "c5_maxpool_flat": (lambda: maxpool(Flat(), linear(16 * 8 * 8, 10)), GREY),
    "c6_concat": (lambda: inside([Fire(True), *block(24, 16, stride=2)], 16), GREY),
    "c6_concat_free": (lambda: inside([Fire(False), *block(24, 16, stride=2)], 16), GREY),
    "c7_flatten": (
        lambda: [
            camera(), *block(1, 8, stride=2), *block(8, 8, stride=2), Flat(), linear(8 * 8 * 8, 10)
        ],
        GREY,
    ),
    "c8_upsample": (lambda: decoder(nn.Upsample(scale_factor=2, mode="nearest")), (1, 16, 16)),
    "c8_densemap": (decoder, (1, 16, 16)),
    "c9_grouped": (lambda: inside([*block(8, 16, groups=2), *block(16, 16, stride=2)], 16), GREY),
    "c10_twoheads": (
        lambda: [camera(), *block(1, 8, stride=2), *block(8, 8, stride=2), *pooled(8, Heads(8))],
        GREY,
    ),
    "c11_avgpool2": (lambda: inside([nn.AvgPool2d(2), ident(), *block(8, 8)]), GREY),
    "b_conv3_w4a8": (lambda: conv3(bits=4), GREY),
    "b_conv3_w8a4": (lambda: conv3(abits=4), GREY),
    "b_conv3_w4a4": (lambda: conv3(bits=4, abits=4), GREY),
    "b_conv3_w2a2": (lambda: conv3(bits=2, abits=2), GREY),
    "b_mobilenet_w4a4": (lambda: mobilenet(bits=4, abits=4), GREY),
    "h_narrow8": (lambda: narrow(8), GREY),
    "h_narrow4": (lambda: narrow(4), GREY),
    "h_narrow2": (lambda: narrow(2), GREY),
    "h_relu6": (lambda: activation(relu(max_val=6.0)), GREY),
    "h_hardtanh": (
        lambda: activation(qnn.QuantHardTanh(max_val=1.0, min_val=-1.0, return_quant_tensor=True)),
        GREY,
    ),
    "h_signedrelu": (lambda: activation(nn.ReLU(), ident()), GREY),
    "h_leaky": (lambda: activation(nn.LeakyReLU(0.1), ident()), GREY),
    "h_sigmoid": (lambda: activation(qnn.QuantSigmoid(return_quant_tensor=True)), GREY),
    "o_k5": (lambda: inside(block(8, 8, 5)), GREY),
    "o_k3s3": (lambda: inside(block(8, 8, stride=3)), GREY),
    "o_k1x3": (lambda: inside(block(8, 8, (1, 3), padding=(0, 1))), GREY),
    "o_k2s2": (lambda: inside(block(8, 8, 2, 2, 0)), GREY),
    "o_dil2": (lambda: inside(block(8, 8, padding=2, dilation=2)), GREY),
    "o_dwmult2": (lambda: inside(block(8, 16, groups=8), 16), GREY),
    "o_dw5": (lambda: inside(block(8, 8, 5, groups=8)), GREY),
    "o_convbias": (lambda: inside([conv(8, 8, bias=True), relu()]), GREY),
    "o_nobn": (lambda: inside([conv(8, 8), relu()]), GREY),
    "o_stride1x1": (lambda: inside(block(8, 8, 1, 2)), GREY),
}  # fmt: skip


# -- export ------------------------------------------------------------------------------------


def pictures(shape, count=4):
    """Bytes (count, *shape) over 255: waves and noise."""
    rng = np.random.default_rng(1)
    found = rng.integers(0, 256, (count, *shape)).astype(np.float64)
    if len(shape) == 3:
        y, x = np.mgrid[: shape[1], : shape[2]] / max(shape[1:])
        for plane in found.reshape(-1, *shape[1:]):
            down, along, phase = *rng.uniform(1, 6, 2), rng.uniform(0, 6)
            waves = 127.5 * (1 + np.sin(2 * np.pi * (down * x + along * y) + phase))
            plane[:] = 0.3 * plane + 0.7 * waves
    return torch.from_numpy((np.rint(found).clip(0, 255) / 255).astype(np.float32))


def settle(network, x):
    """Batch statistics and activation scales from data, as a short training leaves them."""
    generator = torch.Generator().manual_seed(5)
    for module in network.modules():
        if hasattr(module, "collect_stats_steps"):  # 300 by default
            module.collect_stats_steps = PASSES - 4
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            module.momentum = 0.2
            nn.init.uniform_(module.weight, 0.6, 1.4, generator)
            nn.init.normal_(module.bias, 0, 0.3, generator)
    network.train()
    with torch.no_grad():
        for _ in range(PASSES):
            network(x)
    network.eval()


def exported(name, network, folder):
    """``folder``/``name``.onnx of a row of NETWORKS."""
    layers, shape = network
    torch.manual_seed(3)
    network = nn.Sequential(*layers())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        settle(network, pictures(shape))
        path = Path(folder) / f"{name}.onnx"
        sample = torch.zeros(1, *shape)
        export_qonnx(network, sample, str(path), opset_version=13, dynamo=False)
    return path


def export(name, folder):
    """``folder``/``name``.onnx."""
    return exported(name, NETWORKS[name], folder)


def main(networks):
    """Export into a folder what the command line names, or all."""
    parser = argparse.ArgumentParser(description="Export quantised networks as NAME.onnx.")
    parser.add_argument("folder", type=Path, help="where the files go")
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help=f"default: all of {', '.join(networks)}")  # fmt: skip
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in networks]:
        parser.error(f"unknown: {', '.join(unknown)}")
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in options.names or networks:
        print(exported(name, networks[name], options.folder), flush=True)


if __name__ == "__main__":
    main(NETWORKS)
