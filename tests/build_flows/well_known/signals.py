# SPDX-License-Identifier: Apache-2.0
"""Networks for what is no picture: radio signals, sounds, packets of a network."""

import brevitas.nn as qnn
from brevitas.quant import Int8WeightPerChannelFloat
from torch import nn

from tests.build_flows.brevitas_networks import Flat, conv, ident, linear, relu
from tests.build_flows.well_known.finn import few_act
from tests.build_flows.well_known.layers import Do


def conv1d(inputs, outputs, kernel=3, bits=4, **options):
    return qnn.QuantConv1d(
        inputs, outputs, kernel, padding=kernel // 2, bias=False,
        weight_quant=Int8WeightPerChannelFloat, weight_bit_width=bits, **options,
    )  # fmt: skip


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


def anomaly():
    """MLPerf Tiny's autoencoder for sounds of machines, narrower."""
    layers, before = [ident()], 640
    for width in (32, 32, 8, 32, 32):
        layers += [linear(before, width), nn.BatchNorm1d(width), relu()]
        before = width
    return [*layers, linear(before, 640)]


NETWORKS = {  # name: (function that gives the layers, shape of the input)
    "vgg10_radio": (vgg10, (2, 128)),
    "vgg10_column": (vgg10_flat, (2, 128, 1)),
    "keywords_mlp": (keywords, (1, 10, 49)),
    "cybersecurity": (cybersecurity, (600,)),
    "cybersecurity_wide": (lambda: cybersecurity(bipolar=False), (600,)),
    "anomaly": (anomaly, (640,)),
}  # fmt: skip
