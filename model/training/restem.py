# SPDX-License-Identifier: Apache-2.0
"""A depthwise second layer in the place of a full one, fitted so that the layers behind can stay.

The new layer and the expansion behind it learn to give the rectified maps that the old ones give.
That takes minutes, where training the whole network through new layers takes hours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from host.common.errors import UserError
from model.data.augment import Batch
from model.network.pfld import PFLD

RATE = 1e-2  #: first learning rate of Adam


def restem(
    network: PFLD,
    batches: Iterator[Batch],
    steps: int,
    report: Callable[[int, float], None] = lambda step, left: None,
) -> PFLD:
    """``network`` with a depthwise stem, fitted on ``steps`` batches of pictures.

    report: gets the step and the share of the old maps' variance that is not explained yet.
    UserError: the network has a depthwise stem already.
    """
    if network.stem_kind != "conv":
        raise UserError(f"the stem is {network.stem_kind} already; give a network with stem=conv")
    branch = network.pose is not None
    fitted = PFLD(**{**network.config(), "stem": "depthwise"}, pose_branch=branch)
    kept = {n: v for n, v in network.state_dict().items() if n != "stem.1.conv.weight"}
    fitted.load_state_dict(kept, strict=False)
    with torch.no_grad():  # close to passing each channel on
        fitted.stem[1].conv.weight.mul_(0.3)[:, :, 1, 1] += 1
    layers = nn.ModuleList([fitted.stem[1], fitted.stages_28[0].expand])
    optimiser = torch.optim.Adam(layers.parameters(), lr=RATE)
    network.eval()
    fitted.eval()
    fitted.stem[1].norm.train()
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * step / steps))
        left = unexplained(network, fitted, next(batches).images)
        optimiser.zero_grad()
        left.backward()
        optimiser.step()
        report(step, left.item())
    fitted.eval()
    return fitted


def unexplained(old: PFLD, new: PFLD, images: Tensor) -> Tensor:
    """Mean over the channels of the share of the first expansion's variance that ``new`` misses."""
    with torch.no_grad():
        first = old.stem[0](images)
        wanted = old.stages_28[0].expand(old.stem[1](first))
    found = new.stages_28[0].expand(new.stem[1](first))
    errors = ((found - wanted) ** 2).mean((0, 2, 3))
    return (errors / wanted.var((0, 2, 3)).clamp_min(1e-4)).mean()
