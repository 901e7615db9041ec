# SPDX-License-Identifier: Apache-2.0
"""Networks for pictures: classes, maps, boxes."""

import brevitas.nn as qnn
import torch
from torch import nn

from tests.build_flows.brevitas_networks import (
    Flat,
    block,
    camera,
    conv,
    ident,
    plain,
    pooled,
    relu,
)
from tests.build_flows.well_known.layers import (
    CIFAR,
    MNIST,
    Branches,
    Do,
    between,
    catted,
    summed,
    up,
)


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


NETWORKS = {  # name: (function that gives the layers, shape of the input)
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
    "squeeze_excite": (lambda: between(Attention(8)), CIFAR),
    "three_branches": (three, CIFAR),
}  # fmt: skip
