# SPDX-License-Identifier: Apache-2.0
"""Random small networks out of all operators, for hypothesis."""

from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st
from onnx import helper

from tests.build_flows.networks import QONNX

MOST_CHANNELS = 6
PIXELS = (3, 8)  #: least and most of a side
CURVES = {  #: whether they go below zero
    "LeakyRelu": True, "Sigmoid": False, "Tanh": True, "HardSigmoid": False, "Elu": True,
    "Softplus": False,
}  # fmt: skip


@dataclass(frozen=True)
class Map:
    """A tensor of codes that are worth about one at most."""

    name: str
    channels: int
    height: int
    width: int
    signed: bool

    @property
    def size(self):
        return self.height, self.width


@dataclass
class Network:
    """A file in the making; ``draw`` is hypothesis', weights come from a seed that it draws."""

    draw: object
    nodes: list = field(default_factory=list)
    constants: dict = field(default_factory=lambda: {"zero": 0.0})

    def __post_init__(self):
        self.rng = np.random.default_rng(self.draw(st.integers(0, 2**32 - 1)))

    def constant(self, value, kind="c"):
        """Its name; ``kind`` "sizes" for whole numbers."""
        name = f"{kind}{len(self.constants)}"
        self.constants[name] = value
        return name

    def add(self, operator, *inputs, **attributes):
        """A node; its output."""
        name = f"t{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(operator, list(inputs), [name], f"{operator}_{name}", **attributes)
        )
        return name

    def of(self, *choices):
        return self.draw(st.sampled_from(choices))

    # -- quantisers ----------------------------------------------------------------------------

    def quantised(self, source, shape, signed=True):
        """``source``, which is worth about one, behind a quantiser of a random kind."""
        if signed and self.of(False, False, False, True):
            step = self.constant(self.rng.uniform(0.2, 0.5))
            return Map(self.add("BipolarQuant", source, step, domain=QONNX), *shape, True)
        bits = self.of(8, 8, 4, 3)
        most = 2 ** (bits - signed)
        step = self.constant(self.rng.uniform(1.5, 3) / most)
        name = self.add(
            "Quant", source, step, "zero", self.constant(float(bits)), domain=QONNX,
            signed=int(signed), narrow=int(self.of(False, True)),
            rounding_mode=self.of("ROUND", "ROUND", "FLOOR"),
        )  # fmt: skip
        return Map(name, *shape, signed)

    def weights(self, shape):
        scales = (shape[0], *(1 for _ in shape[1:])) if self.of(True, False) else ()
        values = self.rng.normal(size=shape)
        if self.of(False, False, False, True):
            step = self.constant(self.rng.uniform(0.5, 1, scales))
            return self.add("BipolarQuant", self.constant(values), step, domain=QONNX)
        bits = self.of(8, 4, 2)
        step = self.constant(self.rng.uniform(1.5, 3, scales) / 2 ** (bits - 1))
        return self.add(
            "Quant", self.constant(values), step, "zero", self.constant(float(bits)),
            domain=QONNX, signed=1, narrow=1, rounding_mode="ROUND",
        )  # fmt: skip

    def activation(self, source, *curves):
        """``source`` behind a function, and whether that has a sign."""
        kind = self.of("none", "Relu", "Clip", *curves)
        if kind == "Relu":
            return self.add("Relu", source), False
        if kind == "Clip":
            ends = self.constant(-1.0), self.constant(1.0)
            return self.add("Clip", source, *ends), True
        if kind == "curve":
            name = self.of(*CURVES)
            return self.add(name, source), CURVES[name]
        if kind == "swish":
            return self.add("Mul", source, self.add("Sigmoid", source)), True
        return source, True

    # -- layers --------------------------------------------------------------------------------

    def convolution(self, x):
        """A convolution, perhaps with bias or batch normalisation, activation and quantiser."""
        normal, shape = self.sums(x)
        found, signed = self.activation(normal, "curve", "swish")
        return self.quantised(found, shape, signed)

    def sums(self, x):
        """A convolution whose results are worth about one, and their shape."""
        fits = (2, 2) if min(x.size) > 1 else (1, 1)  # has no padding
        kernel = self.of((3, 3), (1, 1), fits, (1, 3))
        down = 1 if kernel == (1, 3) else 2  # FINN has no window that leaves out whole rows
        stride = self.of((1, 1), (1, 1), (down, 2), (down, 1))
        if kernel == (1, 1) and x.size[0] <= 2:
            stride = (1, 1)  # FINN has no window that gives a pixel or two
        pads = [(k - 1) // 2 for k in kernel] * 2
        group = self.of(1, 1, x.channels)
        outputs = x.channels if group > 1 else self.draw(st.integers(1, MOST_CHANNELS))
        shape = (outputs, x.channels // group, *kernel)
        inputs = [x.name, self.weights(shape)]
        if self.of(False, True):
            inputs.append(self.constant(self.rng.normal(size=outputs)))
        sums = self.add(
            "Conv", *inputs, kernel_shape=list(kernel), strides=list(stride), pads=pads,
            group=group,
        )  # fmt: skip
        size = [
            (n + pads[i] + pads[i + 2] - kernel[i]) // stride[i] + 1 for i, n in enumerate(x.size)
        ]
        normal = self.normalised(sums, outputs, np.sqrt(np.prod(shape[1:]) / 4))
        return normal, (outputs, *size)

    def normalised(self, source, channels, worth):
        """Batch normalisation of what is worth about ``worth``, or a scale."""
        if self.of(True, False):
            return self.add("Mul", source, self.constant(1 / worth))
        gamma = self.rng.uniform(0.5, 1.5, channels) * self.rng.choice([-1, 1], channels)
        rows = (gamma, *self.rng.normal(size=(2, channels)) / 3)
        names = [self.constant(row) for row in (*rows, np.full(channels, worth**2))]
        return self.add("BatchNormalization", source, *names)

    def pooling(self, x):
        """Maximum or average of windows of 2 x 2."""
        shape = (x.channels, x.height // 2, x.width // 2)
        kind = self.of("MaxPool", "AveragePool")
        found = self.add(kind, x.name, kernel_shape=[2, 2], strides=[2, 2])
        if kind == "MaxPool":
            return Map(found, *shape, x.signed)
        return self.quantised(found, shape, x.signed)

    def upsampling(self, x):
        down, along = self.of((2, 2), (1, 2), (3, 1))
        name = self.add(
            "Resize", x.name, "", self.constant(np.array([1.0, 1.0, down, along])),
            mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor",
        )  # fmt: skip
        return Map(name, x.channels, x.height * down, x.width * along, x.signed)

    def moving(self, x):
        """Blocks of channels to pixels or the other way, or a crop."""
        kinds = ["crop"] if min(x.size) > 3 else []
        kinds += ["DepthToSpace"] if x.channels % 4 == 0 and max(x.size) < 6 else []
        kinds += ["SpaceToDepth"] if x.channels < 3 and x.height % 2 == x.width % 2 == 0 else []
        kind = self.of(*kinds) if kinds else ""
        if kind == "crop":
            ends = [self.constant(n, "sizes") for n in ([0, 1], list(x.size), [2, 3])]
            name = self.add("Slice", x.name, *ends)
            return Map(name, x.channels, x.height, x.width - 1, x.signed)
        if not kind:
            return x
        inner, outer = ((4, 2), (1, 1)) if kind == "DepthToSpace" else ((1, 1), (4, 2))
        mode = {"mode": self.of("DCR", "CRD")} if kind == "DepthToSpace" else {}
        sides = [n * inner[1] // outer[1] for n in x.size]
        name = self.add(kind, x.name, blocksize=2, **mode)
        return Map(name, x.channels * outer[0] // inner[0], *sides, x.signed)

    def joining(self, x):
        """Two or three branches, each behind a quantiser of its own, added up or side by side."""
        kept = [x] if self.of(True, False) else []
        count = self.of(2, 2, 3) - len(kept)
        parts = [self.quantised(*self.branch(x)) for _ in range(count)] + kept
        names = [part.name for part in parts]
        if self.of(True, False):
            joined = self.add("Concat", *names, axis=1)
            channels = sum(part.channels for part in parts)
            normal, shape = self.sums(Map(joined, channels, *x.size, True))
            return self.line(*self.activation(normal), shape)
        total, *others = names
        for name in others:
            total = self.add(self.of("Add", "Sub"), total, name)
        return self.line(*self.activation(total), self.shape_of(x))

    def line(self, source, signed, shape):
        """Behind a quantiser of 8 bits that rounds to the nearest."""
        step = self.constant(self.rng.uniform(1.5, 3) / 2 ** (8 - signed))
        name = self.add(
            "Quant", source, step, "zero", self.constant(8.0), domain=QONNX, signed=int(signed),
            narrow=0, rounding_mode="ROUND",
        )  # fmt: skip
        return Map(name, *shape, signed)

    def shape_of(self, x):
        return x.channels, *x.size

    def branch(self, x):
        """A pointwise convolution that keeps the channels: its sums, and their shape."""
        weights = self.weights((x.channels, x.channels, 1, 1))
        sums = self.add("Conv", x.name, weights, kernel_shape=[1, 1])
        return self.normalised(sums, x.channels, np.sqrt(x.channels)), self.shape_of(x)

    # -- ends ----------------------------------------------------------------------------------

    def head(self, x):
        """Names of the outputs."""
        kind = self.of("pool", "flat", "map", "two")
        if kind == "map":
            return [self.branch(x)[0]]
        if kind == "flat":
            vector, elements = self.add("Flatten", x.name), int(np.prod(self.shape_of(x)))
        else:
            vector, elements = self.add("GlobalAveragePool", x.name), x.channels
            if self.of(True, False):
                vector = self.quantised(vector, (x.channels, 1, 1), x.signed).name
            vector = self.add("Flatten", vector)
        outputs = [self.product(vector, elements)]
        return outputs + ([self.product(vector, elements)] if kind == "two" else [])

    def product(self, vector, elements):
        outputs = self.draw(st.integers(2, 5))
        bias = self.constant(self.rng.normal(size=outputs))
        return self.add("Gemm", vector, self.weights((outputs, elements)), bias, transB=1)


@st.composite
def networks(draw, most_layers=4):
    """Nodes, constants, shape of the image and names of the outputs: arguments of ``graph``."""
    net = Network(draw)
    shape = (draw(st.integers(1, 3)), draw(st.integers(*PIXELS)), draw(st.integers(*PIXELS)))
    step = net.constant(1 / 255 if net.of(True, False) else 0.0123)
    image = net.add(
        "Quant", "image", step, "zero", net.constant(8.0), domain=QONNX, signed=0, narrow=0,
        rounding_mode="ROUND",
    )  # fmt: skip
    first = net.of(net.convolution, net.convolution, net.joining)
    x = first(Map(image, *shape, False))
    for _ in range(draw(st.integers(1, most_layers))):
        layers = [net.convolution, net.joining, net.moving]
        layers += [net.pooling] if min(x.size) > 2 else []
        layers += [net.upsampling] if max(x.size) < 6 else []
        x = net.of(*layers)(x)
    names = dict.fromkeys(net.head(x))
    return net.nodes, net.constants, [1, *shape], tuple(names)
