# SPDX-License-Identifier: Apache-2.0
"""The depthwise convolution's own gradients against torch's."""

import pytest
import torch
from torch.nn.functional import conv2d

from model.network.depthwise import Depthwise

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
