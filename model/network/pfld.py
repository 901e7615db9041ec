# SPDX-License-Identifier: Apache-2.0
"""The landmark network: PFLD on a MobileNetV2 backbone, one definition for FP32 and INT8.

The topology is a table. What a convolution, a rectifier or a linear tensor *is* comes from a
:class:`Layers` object: plain torch here, Brevitas in :mod:`model.network.quantised`. Where integers
must meet (residual adds, the concatenation), the definition passes one activation module to all
of them, so that both share one quantiser.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from host.common.errors import UserError
from model.network import grid
from model.network.depthwise import Depthwise

S3_CHOICES = ("conv7x7", "conv1x1")
STEM_CHOICES = ("conv", "depthwise")
HEAD_CHOICES = ("fc", "grid")
STRIDE = 16  #: an image pixel of the last feature map is STRIDE input pixels wide


@dataclass(frozen=True)
class Stage:
    """Row of the table: ``repeats`` bottlenecks; ``stride`` is that of the first of them."""

    expansion: int
    channels: int
    repeats: int
    stride: int
    kernel: int = 3
    """Side of the depthwise filters."""


STEM = (64, 64)  #: channels of the two leading 3x3 convolutions; the first has stride 2
STAGES_28 = (Stage(2, 64, 1, 2), Stage(2, 64, 4, 1))
STAGES_14 = (Stage(2, 128, 1, 2), Stage(4, 128, 5, 1), Stage(2, 128, 1, 1), Stage(2, 16, 1, 1))
GRID_STAGES_14 = (*STAGES_14[:2], Stage(2, 128, 1, 1, kernel=7))
"""Of ``head = grid``: without the narrow last row; wide filters let each cell see all others."""
S2_CHANNELS = 32
S3_CHANNELS = {"conv7x7": 128, "conv1x1": 64}
POSE_CHANNELS = ((128, 2), (128, 1), (32, 2))  #: channels and stride of the auxiliary 3x3 layers
POSE_HIDDEN = 32


class Layers:
    """Building blocks of the network in floating point; the quantised network overrides them."""

    def image(self) -> nn.Module:
        """Module that the camera image goes through first."""
        return nn.Identity()

    def conv(
        self, inputs: int, outputs: int, kernel: int, stride: int, padding: int, groups: int
    ) -> nn.Module:
        """Convolution without bias."""
        return nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)

    def relu(self) -> nn.Module:
        """Rectifier; its result is non-negative."""
        return nn.ReLU()

    def linear(self) -> nn.Module:
        """Module for a tensor of both signs: bottleneck end, residual sum or pooled vector."""
        return nn.Identity()

    def fully_connected(self, inputs: int, outputs: int) -> nn.Module:
        """Matrix product with bias."""
        return nn.Linear(inputs, outputs)

    def cells(self, inputs: int, outputs: int) -> nn.Module:
        """1x1 convolution with bias, the grid head."""
        return nn.Conv2d(inputs, outputs, 1)


class ConvNorm(nn.Module):
    """Convolution, batch normalisation, activation: (B, inputs, H, W) -> (B, outputs, H', W')."""

    def __init__(
        self,
        layers: Layers,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        *,
        act: nn.Module,
        groups: int = 1,
        padding: int | None = None,
    ) -> None:
        super().__init__()
        padding = kernel // 2 if padding is None else padding
        self.conv = layers.conv(inputs, outputs, kernel, stride, padding, groups)
        self.norm = nn.BatchNorm2d(outputs)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        """Activation of the normalised convolution (B, outputs, H', W')."""
        if not self.training or type(self.conv) is not nn.Conv2d:
            return self.act(self.norm(self.conv(x)))
        if self.norm.training:
            return self.act(self.norm(self._convolved(x, self.conv.weight, None)))
        return self.act(self._folded(x))

    def _folded(self, x: Tensor) -> Tensor:
        """The same for frozen statistics, as one convolution: a fifth less time in training."""
        norm = self.norm
        gain = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        weight = self.conv.weight * gain[:, None, None, None]
        return self._convolved(x, weight, norm.bias - norm.running_mean * gain)

    def _convolved(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The convolution with this weight and bias; depthwise ones with the fast gradients."""
        conv = self.conv
        if conv.groups == 1 or x.is_cuda:
            return conv2d(x, weight, bias, conv.stride, conv.padding, 1, conv.groups)
        if torch.is_autocast_enabled("cpu"):  # does not reach into functions with own gradients
            kind = torch.get_autocast_dtype("cpu")
            x, weight = x.to(kind), weight.to(kind)
            bias = None if bias is None else bias.to(kind)
        return Depthwise.apply(x, weight, bias, conv.stride[0])


class Bottleneck(nn.Module):
    """Inverted residual: 1x1 expansion, depthwise, linear 1x1 projection, add where it fits.

    ``source`` is the activation module that made the input. With a residual add the projection goes
    through the same module, so that both operands of the add have one scale. ``end`` is the module
    that makes the block's result.
    """

    def __init__(
        self,
        layers: Layers,
        inputs: int,
        outputs: int,
        stride: int,
        expansion: int,
        source: nn.Module,
        kernel: int = 3,
    ) -> None:
        super().__init__()
        self.residual = stride == 1 and inputs == outputs
        hidden = inputs * expansion
        linear = source if self.residual else layers.linear()
        self.expand = ConvNorm(layers, inputs, hidden, 1, act=layers.relu())
        self.depthwise = ConvNorm(
            layers, hidden, hidden, kernel, stride, act=layers.relu(), groups=hidden
        )
        self.project = ConvNorm(layers, hidden, outputs, 1, act=linear)
        self.end = layers.linear() if self.residual else linear

    def forward(self, x: Tensor) -> Tensor:
        """Result of the block for its input (B, inputs, H, W)."""
        y = self.project(self.depthwise(self.expand(x)))
        return self.end(x + y) if self.residual else y


class PoseBranch(nn.Module):
    """Head angles from the 28x28 map, for the training loss only: (B, C, 28, 28) -> (B, 3)."""

    def __init__(self, inputs: int, widths: list[int]) -> None:
        super().__init__()
        layers = Layers()
        convs = []
        for outputs, (_, stride) in zip(widths, POSE_CHANNELS, strict=True):
            convs.append(ConvNorm(layers, inputs, outputs, 3, stride, act=layers.relu()))
            inputs = outputs
        self.convs = nn.Sequential(*convs)
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(inputs, POSE_HIDDEN),
            nn.ReLU(),
            nn.Linear(POSE_HIDDEN, 3),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Yaw, pitch and roll (B, 3)."""
        return self.head(self.convs(x))


class PFLD(nn.Module):
    """Landmark network: grey image (B, 1, S, S) in 0..1 -> landmarks (B, 2 * num_landmarks).

    Landmarks are x0, y0, x1, y1, ... as fractions of the crop. In training mode the head ``grid``
    gives its cells (B, 3 * num_landmarks, S / 8, S / 8) instead, see :mod:`model.grid`, and where
    there is a pose branch the result is a pair with pose (B, 3) = yaw, pitch, roll.

    width: multiplier of every channel count, 0.125 .. 4; a layer has at least 8 channels.
    num_landmarks: points, at least 1.
    s3: "conv7x7" (valid convolution to a 1x1 map at image size 112) or "conv1x1"; of head "fc".
    image_size: side S in pixels, a multiple of 16; at least 112 for "conv7x7".
    stem: second layer, "conv" (full 3x3, the paper's Table II) or "depthwise" (PFLD's original).
    head: "fc" (pooled maps and a matrix, the paper's) or "grid" (scores and offsets of cells).
    layers: building blocks; default floating point.
    undecided, an attribute: let the head grid give its cells outside of training too.
    Raises UserError for arguments outside these ranges.
    """

    def __init__(
        self,
        width: float = 1.0,
        num_landmarks: int = 98,
        s3: str = "conv7x7",
        image_size: int = 112,
        *,
        stem: str = "conv",
        head: str = "fc",
        layers: Layers | None = None,
        pose_branch: bool = True,
    ) -> None:
        super().__init__()
        check_arguments(width, num_landmarks, s3, image_size, stem, head)
        self.width, self.num_landmarks, self.s3_kind, self.image_size = (
            width,
            num_landmarks,
            s3,
            image_size,
        )
        self.stem_kind, self.head_kind = stem, head
        self.undecided = False
        layers = layers or Layers()
        wide = self.channels
        self.image = layers.image()
        first, second = (wide(v) for v in STEM)
        groups = first if stem == "depthwise" else 1
        self.stem = nn.Sequential(
            ConvNorm(layers, 1, first, 3, 2, act=layers.relu()),
            ConvNorm(layers, first, second, 3, act=layers.relu(), groups=groups),
        )
        self.stages_28, end = self._stages(layers, STAGES_28, second, self.stem[1].act)
        stages = GRID_STAGES_14 if head == "grid" else STAGES_14
        self.stages_14, _ = self._stages(layers, stages, wide(STAGES_28[-1].channels), end)
        if head == "grid":
            self.cells = layers.cells(wide(stages[-1].channels), 3 * num_landmarks)
        else:
            self._pooled_head(layers, s3)
        self.pose = None
        if pose_branch:
            widths = [wide(v) for v, _ in POSE_CHANNELS]
            self.pose = PoseBranch(wide(STAGES_28[-1].channels), widths)

    def _pooled_head(self, layers: Layers, s3: str) -> None:
        """Layers behind the 14x14 map that average over three maps and multiply."""
        wide = self.channels
        sizes = [wide(v) for v in (STAGES_14[-1].channels, S2_CHANNELS, S3_CHANNELS[s3])]
        kernel = 7 if s3 == "conv7x7" else 1
        self.s2 = ConvNorm(layers, sizes[0], sizes[1], 3, 2, act=layers.relu())
        self.s3 = ConvNorm(layers, sizes[1], sizes[2], kernel, act=layers.relu(), padding=0)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.pooled = layers.linear()
        self.fc = layers.fully_connected(sum(sizes), 2 * self.num_landmarks)

    def channels(self, full: int) -> int:
        """Channels of a layer that has ``full`` of them at width 1."""
        return max(8, int(full * self.width))

    def _stages(
        self, layers: Layers, stages: tuple[Stage, ...], inputs: int, source: nn.Module
    ) -> tuple[nn.Sequential, nn.Module]:
        """Bottlenecks of ``stages`` and the activation module of the last one's result."""
        blocks: list[nn.Module] = []
        for stage in stages:
            outputs = self.channels(stage.channels)
            for repeat in range(stage.repeats):
                stride = stage.stride if repeat == 0 else 1
                block = Bottleneck(
                    layers, inputs, outputs, stride, stage.expansion, source, stage.kernel
                )
                blocks.append(block)
                inputs, source = outputs, block.end
        return nn.Sequential(*blocks), source

    def forward(self, image: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Landmarks, in training mode cells and the head's angles; see the class."""
        middle = self.stages_28(self.stem(self.image(image)))
        result = self._head(self.stages_14(middle))
        if self.training and self.pose is not None:
            return result, self.pose(middle)
        return result

    def _head(self, s1: Tensor) -> Tensor:
        """Landmarks of the last map at stride 8; cells in training mode with head grid."""
        if self.head_kind == "grid":
            cells = self.cells(s1)
            return cells if self.training or self.undecided else grid.decode(cells)
        s2 = self.s2(s1)
        s3 = self.s3(s2)
        vectors = [self.pooled(torch.flatten(self.pool(s), 1)) for s in (s1, s2, s3)]
        return self.fc(torch.cat(vectors, 1))

    def config(self) -> dict[str, Any]:
        """Arguments that build this network again: ``PFLD(**config)``."""
        return {
            "width": self.width,
            "num_landmarks": self.num_landmarks,
            "s3": self.s3_kind,
            "image_size": self.image_size,
            "stem": self.stem_kind,
            "head": self.head_kind,
        }


def check_arguments(
    width: float, num_landmarks: int, s3: str, image_size: int, stem: str, head: str
) -> None:
    """Raise UserError unless the arguments describe a network that can be built."""
    if not 0.125 <= width <= 4:
        raise UserError(f"width={width} is not supported; use a multiplier from 0.125 to 4")
    if num_landmarks < 1:
        raise UserError(f"num_landmarks={num_landmarks}: the network needs at least 1 landmark")
    choices = {"s3": (s3, S3_CHOICES), "stem": (stem, STEM_CHOICES), "head": (head, HEAD_CHOICES)}
    for name, (value, allowed) in choices.items():
        if value not in allowed:
            raise UserError(f"{name}={value!r} is unknown; use one of {', '.join(allowed)}")
    if image_size < STRIDE or image_size % STRIDE:
        raise UserError(f"image_size={image_size} is not a positive multiple of {STRIDE}")
    if head == "fc" and s3 == "conv7x7" and image_size < 7 * STRIDE:
        raise UserError(
            f"image_size={image_size} leaves less than 7x7 for s3=conv7x7; use at least "
            f"{7 * STRIDE} or s3=conv1x1"
        )


def freeze_statistics(network: PFLD) -> None:
    """Let the batch normalisations use their running statistics until the next ``train()``."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def count_macs(network: PFLD) -> int:
    """Multiply-accumulates of one image through ``network``, auxiliary branch excepted."""
    total = 0

    def add(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        # every output element costs one multiplication for each weight of its filter
        total += output[0].numel() * module.weight[0].numel()

    kinds = (nn.Conv2d, nn.Linear)
    hooks = [m.register_forward_hook(add) for m in network.modules() if isinstance(m, kinds)]
    was_training = network.training
    network.eval()
    with torch.no_grad():
        network(torch.zeros(1, 1, network.image_size, network.image_size))
    network.train(was_training)
    for hook in hooks:
        hook.remove()
    return total
