# SPDX-License-Identifier: Apache-2.0
"""Networks that users of FINN and Brevitas know, smaller, written after their descriptions.

The topologies are those of the examples that come with FINN and Brevitas and of MLPerf Tiny, and of
networks that people ask for; none of their code is here. Weights are random, statistics come from
data. ``python -m tests.build_flows.public_networks FOLDER [NAME ...]`` writes NAME.onnx.
"""

import sys
import warnings
from pathlib import Path

import brevitas.nn as qnn
import torch
from brevitas.export import export_qonnx
from brevitas.inject.enum import QuantType, ScalingImplType
from brevitas.quant import (
    Int8ActPerTensorFixedPoint,
    Int8ActPerTensorFloat,
    Int8WeightPerChannelFloat,
    Int8WeightPerTensorFixedPoint,
    Int8WeightPerTensorFloat,
    Int32Bias,
    ShiftedUint8ActPerTensorFloat,
    TruncTo8bit,
    Uint8ActPerTensorFixedPoint,
    Uint8ActPerTensorFloat,
    Uint8ActPerTensorFloatMaxInit,
)
from torch import nn

from tests.build_flows.brevitas_networks import (
    Flat,
    Residual,
    block,
    camera,
    conv,
    ident,
    linear,
    pictures,
    plain,
    pooled,
    relu,
    settle,
)

# -- layers ------------------------------------------------------------------------------------


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


class Do(nn.Module):
    """A function as a layer."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def scalar_norm():
    """What a TensorNorm is at run time: one scale and one offset."""
    return Do(lambda x: (plain(x) - 0.7) / 3.1 * 1.2 + 0.1)


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


def conv1d(inputs, outputs, kernel=3, bits=4, **options):
    return qnn.QuantConv1d(
        inputs, outputs, kernel, padding=kernel // 2, bias=False,
        weight_quant=Int8WeightPerChannelFloat, weight_bit_width=bits, **options,
    )  # fmt: skip


def up(inputs, outputs, kernel=2, stride=2, padding=0, **options):
    """A transposed convolution."""
    return qnn.QuantConvTranspose2d(
        inputs, outputs, kernel, stride=stride, padding=padding, bias=False,
        weight_quant=Int8WeightPerTensorFloat, **options,
    )  # fmt: skip


# -- the examples of FINN and Brevitas -----------------------------------------------------------


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


def channel_relu(channels, bits=4, **options):
    return qnn.QuantReLU(
        act_quant=Uint8ActPerTensorFloat, bit_width=bits, return_quant_tensor=True,
        scaling_per_output_channel=True, per_channel_broadcastable_shape=(1, channels, 1, 1),
        scaling_stats_permute_dims=(1, 0, 2, 3), **options,
    )  # fmt: skip


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


def vgg10(channels=8, length=128, classes=24):
    """Kinds of radio signals: seven convolutions along time, halved after each."""
    layers = [ident(8, narrow_range=False)]
    before = 2
    for _ in range(7 if length >= 128 else 3):
        layers += [conv1d(before, channels), nn.BatchNorm1d(channels), relu(4), nn.MaxPool1d(2)]
        before = channels
    layers += [Flat()]
    size = channels * (length >> (7 if length >= 128 else 3))
    for width in (32, 32):
        layers += [linear(size, width, 4, bias=False), nn.BatchNorm1d(width), relu(4)]
        size = width
    return [*layers, linear(size, classes, 4)]


def vgg10_flat(channels=8, length=128, classes=24):
    """The same as pictures of one column, or one row."""
    layers = [ident(8)]
    before = 2
    for _ in range(4):
        layers += [conv(before, channels, (3, 1), padding=(1, 0), bits=4)]
        layers += [nn.BatchNorm2d(channels), relu(4), nn.MaxPool2d((2, 1))]
        before = channels
    return [*layers, Flat(), linear(channels * length // 16, 32, 4), relu(4), linear(32, classes)]


def keywords():
    """10 x 49 coefficients, three layers of W3A3."""
    layers, before = [Flat(), ident(8)], 490
    for _ in range(3):
        layers += [linear(before, 64, 3, bias=False), nn.BatchNorm1d(64), relu(3)]
        before = 64
    return [*layers, linear(before, 12, 3)]


def cybersecurity(bipolar=True):
    """600 bits of a network flow from -1 to 1, W2A2, one bit out."""
    layers = [Do(lambda x: (x + 1) / 2)]
    before = 600
    for _ in range(3):
        layers += [
            qnn.QuantLinear(before, 64, bias=True, weight_bit_width=2),
            nn.BatchNorm1d(64), nn.Dropout(0.5), qnn.QuantReLU(bit_width=2),
        ]  # fmt: skip
        before = 64
    last = [few_act(1)] if bipolar else []
    return [*layers, qnn.QuantLinear(before, 1, bias=True, weight_bit_width=2), *last]


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


# -- networks that people ask for ----------------------------------------------------------------


class Inverted(nn.Module):
    """MobileNetV2's block; the branches share the quantiser of linear bottlenecks."""

    def __init__(self, inputs, outputs, stride, expand, linear_quant):
        super().__init__()
        wide, self.adds = inputs * expand, stride == 1 and inputs == outputs
        self.body = nn.Sequential(
            conv(inputs, wide, 1), nn.BatchNorm2d(wide), relu(max_val=6.0),
            conv(wide, wide, stride=stride, groups=wide), nn.BatchNorm2d(wide), relu(max_val=6.0),
            conv(wide, outputs, 1), nn.BatchNorm2d(outputs), linear_quant,
        )  # fmt: skip
        self.out = ident()

    def forward(self, x):
        return self.out(x + self.body(x)) if self.adds else self.body(x)


def mobilenet_v2():
    first = ident()
    layers = [camera(), conv(3, 8, stride=2), nn.BatchNorm2d(8), first]
    layers += [Inverted(8, 8, 1, 2, first), Inverted(8, 16, 2, 2, ident())]
    layers += [Inverted(16, 16, 1, 2, layers[-1].body[-1])]
    return [*layers, *block(16, 32, 1), *pooled(32)]


class UNet(nn.Module):
    """Two levels down and up again, with bridges."""

    def __init__(self, transposed=False):
        super().__init__()

        def stage(*sizes):
            return nn.Sequential(*block(*sizes))

        self.camera = camera()
        self.down = nn.ModuleList([stage(3, 8), stage(8, 16), stage(16, 16)])
        self.pool = nn.MaxPool2d(2)
        ups = [(16, 16), (8, 8)]
        self.ups = nn.ModuleList(
            nn.Sequential(up(*s), nn.BatchNorm2d(s[1]), relu()) if transposed
            else nn.Upsample(scale_factor=2, mode="nearest") for s in ups
        )  # fmt: skip
        self.joined = nn.ModuleList([stage(32, 8), stage(16, 8)])
        self.last = conv(8, 2, 1, bias=True)

    def forward(self, x):
        bridges = []
        x = self.camera(x)
        for stage in self.down:
            x = stage(x if not bridges else self.pool(x))
            bridges.append(x)
        for grow, stage, bridge in zip(self.ups, self.joined, bridges[-2::-1], strict=True):
            x = stage(torch.cat([plain(grow(x)), plain(bridge)], 1))
        return self.last(x)


class Detector(nn.Module):
    """A tiny YOLO: two maps of boxes, one twice as large as the other."""

    def __init__(self, one_size=False):
        super().__init__()
        self.stem = nn.Sequential(camera(), *block(3, 8, stride=2), nn.MaxPool2d(2), *block(8, 16))
        self.deep = nn.Sequential(nn.MaxPool2d(2), *block(16, 16))
        self.up = nn.Sequential(*block(16, 8, 1), nn.Upsample(scale_factor=2, mode="nearest"))
        self.fine = nn.Sequential(*block(24, 16), conv(16, 18, 1, bias=True))
        self.coarse = conv(16, 18, 1, bias=True)
        self.one_size = one_size

    def forward(self, x):
        x = self.stem(x)
        deep = self.deep(x)
        fine = self.fine(torch.cat([plain(self.up(deep)), plain(x)], 1))
        return fine if self.one_size else (self.coarse(deep), fine)


def shuffled(groups):
    """The channels of the groups taken in turn."""

    def shuffle(x):
        x = plain(x)
        n, channels, height, width = x.shape
        x = x.reshape(n, groups, channels // groups, height, width).transpose(1, 2)
        return x.reshape(n, channels, height, width)

    return Do(shuffle)


class Shuffle(nn.Module):
    """ShuffleNet's block: grouped, shuffled, depthwise, grouped, added."""

    def __init__(self, channels, groups=2):
        super().__init__()
        self.body = nn.Sequential(
            *block(channels, channels, 1, groups=groups), shuffled(groups),
            conv(channels, channels, groups=channels), nn.BatchNorm2d(channels), ident(),
            conv(channels, channels, 1, groups=groups), nn.BatchNorm2d(channels), ident(),
        )  # fmt: skip
        self.out = relu()

    def forward(self, x):
        return self.out(plain(x) + plain(self.body(x)))


class Split(nn.Module):
    """ShuffleNetV2's block: half of the channels pass, the other half is worked on, shuffled."""

    def __init__(self, channels):
        super().__init__()
        half = self.half = channels // 2
        self.body = nn.Sequential(
            *block(half, half, 1), conv(half, half, groups=half), nn.BatchNorm2d(half), ident(),
            *block(half, half, 1),
        )  # fmt: skip
        self.shuffle = shuffled(2)

    def forward(self, x):
        left, right = plain(x)[:, : self.half], plain(x)[:, self.half :]
        return self.shuffle(torch.cat([left, plain(self.body(right))], 1))


def fire(inputs, squeeze, expand):
    """SqueezeNet's."""
    ways = [nn.Sequential(*block(squeeze, expand, kernel)) for kernel in (1, 3)]
    return [*block(inputs, squeeze, 1), Branches(catted, *ways)]


def squeezenet():
    layers = [camera(), *block(3, 16, stride=2), nn.MaxPool2d(3, 2, ceil_mode=True)]
    layers += [*fire(16, 8, 8), *fire(16, 8, 16), nn.MaxPool2d(3, 2, ceil_mode=True)]
    layers += [*fire(32, 8, 16), conv(32, 10, 1, bias=True), relu(), nn.AdaptiveAvgPool2d(1)]
    return [*layers, Flat()]


def inception():
    """Four ways of different kernels, one of them a pooling, joined."""
    ways = [
        nn.Sequential(*block(8, 8, 1)),
        nn.Sequential(*block(8, 8, 1), *block(8, 8)),
        nn.Sequential(*block(8, 4, 1), *block(4, 8, 5)),
        nn.Sequential(nn.MaxPool2d(3, 1, 1), *block(8, 8, 1)),
    ]
    return [camera(), *block(3, 8, stride=2), Branches(catted, *ways), *pooled(32)]


def autoencoder():
    """A picture through a narrow place and back."""
    layers = [camera(), *block(1, 8, stride=2), *block(8, 4, stride=2)]
    for sizes in ((4, 8), (8, 8)):
        layers += [up(*sizes, kernel=3, padding=1, output_padding=1), nn.BatchNorm2d(8), relu()]
    return [*layers, conv(8, 1), qnn.QuantSigmoid(return_quant_tensor=True)]


def anomaly():
    """MLPerf Tiny's autoencoder for sounds of machines, narrower."""
    layers, before = [ident()], 640
    for width in (32, 32, 8, 32, 32):
        layers += [linear(before, width), nn.BatchNorm1d(width), relu()]
        before = width
    return [*layers, linear(before, 640)]


class Attention(nn.Module):
    """Squeeze and excite: every channel times a factor from all of them."""

    def __init__(self, channels):
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), ident(), conv(channels, 4, 1), relu(), conv(4, channels, 1),
            qnn.QuantSigmoid(return_quant_tensor=True),
        )  # fmt: skip
        self.out = relu()

    def forward(self, x):
        return self.out(plain(x) * plain(self.gate(x)))


def between(*layers, channels=8):
    return [camera(), *block(3, 8, stride=2), *layers, *pooled(channels)]


def three():
    """A sum of three branches with quantisers of their own."""
    ways = [nn.Sequential(conv(8, 8, k), nn.BatchNorm2d(8), relu()) for k in (1, 3, 3)]
    return between(Branches(summed, *ways), relu(), *block(8, 8))


class Dense(nn.Module):
    """DenseNet's: each layer reads all before it."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Sequential(*block(8 * (i + 1), 8)) for i in range(3))

    def forward(self, x):
        found = [plain(x)]
        for layer in self.layers:
            found.append(plain(layer(torch.cat(found, 1))))
        return torch.cat(found, 1)


# -- quantisers ----------------------------------------------------------------------------------


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


CIFAR, MNIST = (3, 32, 32), (1, 28, 28)
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
    "vgg10_radio": (vgg10, (2, 128)),
    "vgg10_column": (vgg10_flat, (2, 128, 1)),
    "keywords_mlp": (keywords, (1, 10, 49)),
    "cybersecurity": (cybersecurity, (600,)),
    "cybersecurity_wide": (lambda: cybersecurity(bipolar=False), (600,)),
    "mobilenet_v2": (mobilenet_v2, CIFAR),
    "unet": (lambda: [UNet()], CIFAR),
    "unet_transposed": (lambda: [UNet(transposed=True)], CIFAR),
    "yolo": (lambda: [Detector()], CIFAR),
    "yolo_fine": (lambda: [Detector(one_size=True)], CIFAR),
    "shufflenet": (lambda: between(Shuffle(8), Shuffle(8)), CIFAR),
    "shufflenet_v2": (lambda: between(Split(8), Split(8)), CIFAR),
    "squeezenet": (squeezenet, CIFAR),
    "inception": (inception, CIFAR),
    "densenet": (lambda: between(Dense(), *block(32, 16, 1), channels=16), CIFAR),
    "autoencoder": (autoencoder, MNIST),
    "anomaly": (anomaly, (640,)),
    "squeeze_excite": (lambda: between(Attention(8)), CIFAR),
    "three_branches": (three, CIFAR),
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


PASSES = 24  #: forward passes, of which activation quantisers gather in all but a few


def settled(network, shape):
    """Activation quantisers that gather in PASSES, not in Brevitas' 300."""
    for module in network.modules():
        if hasattr(module, "collect_stats_steps"):
            module.collect_stats_steps = PASSES - 4
    settle(network, pictures(shape, 4), PASSES)


def export(name, folder):
    """``folder``/``name``.onnx."""
    layers, shape = NETWORKS[name]
    torch.manual_seed(3)
    network = nn.Sequential(*layers())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        settled(network, shape)
        path = Path(folder) / f"{name}.onnx"
        export_qonnx(network, torch.zeros(1, *shape), str(path), opset_version=13, dynamo=False)
    return path


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for wanted in sys.argv[2:] or NETWORKS:
        print(export(wanted, target), flush=True)
