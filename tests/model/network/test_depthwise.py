# SPDX-License-Identifier: Apache-2.0
"""The depthwise convolution's own gradients against torch's."""

import pytest
import torch
from torch.nn.functional import conv2d

from model.network.depthwise import Depthwise
from model.network.pfld import ConvNorm, Layers

SHAPES = [(3, 1, 8, 6), (3, 2, 8, 6), (5, 1, 7, 9), (5, 2, 10, 8), (7, 1, 14, 14), (7, 2, 13, 6)]


@pytest.mark.parametrize(("side", "stride", "height", "width"), SHAPES)
def test_gradients_are_those_of_torch(side: int, stride: int, height: int, width: int) -> None:
    generator = torch.Generator().manual_seed(side)
    x = torch.randn(3, 4, height, width, dtype=torch.float64, generator=generator)
    weight = torch.randn(4, 1, side, side, dtype=torch.float64, generator=generator)
    bias = torch.randn(4, dtype=torch.float64, generator=generator)
    results = []
    for ours in (True, False):
        given = [v.clone().requires_grad_() for v in (x, weight, bias)]
        if ours:
            result = Depthwise.apply(*given, stride)
        else:
            result = conv2d(*given, stride, side // 2, groups=4)
        (result.sin() * result).sum().backward()
        results.append([result.detach(), *(v.grad for v in given)])
    for mine, theirs in zip(*results, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("live", [True, False])
def test_a_layer_in_training_has_the_gradients_of_its_parts(live: bool) -> None:
    torch.manual_seed(2)
    layer = ConvNorm(Layers(), 6, 6, 7, 2, act=torch.nn.ReLU(), groups=6).double()
    torch.nn.init.uniform_(layer.norm.running_var, 0.5, 2.0)
    layer.norm.train(live)
    x = torch.randn(4, 6, 12, 10, dtype=torch.float64, requires_grad=True)
    given = [x, layer.conv.weight, layer.norm.weight, layer.norm.bias]
    for parts in (layer, torch.nn.Sequential(layer.conv, layer.norm, layer.act)):
        result = parts(x)
        found = [result, *torch.autograd.grad((result.sin() * result).sum(), given)]
        if parts is layer:
            ours = found
    for mine, theirs in zip(ours, found, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-9)
