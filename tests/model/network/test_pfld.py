# SPDX-License-Identifier: Apache-2.0
"""The network's definition: cost, shapes, sharing of modules, argument checks."""

from __future__ import annotations

import itertools

import pytest
import torch

from host.common.errors import UserError
from model.network.pfld import PFLD, Bottleneck, count_macs


def parameters_at_inference(network: PFLD) -> int:
    return sum(p.numel() for n, p in network.named_parameters() if not n.startswith("pose."))


@pytest.mark.parametrize(
    ("width", "s3", "macs", "parameters"),
    [
        (1.0, "conv7x7", 369_681_088, 1_194_660),
        (1.0, "conv1x1", 369_568_192, 983_332),
        (0.25, "conv7x7", 25_420_416, 92_692),
    ],
)
def test_cost_matches_the_design(width: float, s3: str, macs: int, parameters: int) -> None:
    network = PFLD(width, s3=s3)
    assert count_macs(network) == macs
    assert parameters_at_inference(network) == parameters
    assert network.training


def test_training_returns_landmarks_and_pose_and_evaluation_landmarks() -> None:
    network = PFLD(0.25, num_landmarks=5)
    image = torch.zeros(3, 1, 112, 112)
    landmarks, pose = network(image)
    assert landmarks.shape == (3, 10)
    assert pose.shape == (3, 3)
    assert network.eval()(image).shape == (3, 10)
    assert PFLD(0.25, pose_branch=False)(image).shape == (3, 196)


@pytest.mark.parametrize(("s3", "size"), [("conv1x1", 64), ("conv7x7", 128)])
def test_other_image_sizes(s3: str, size: int) -> None:
    network = PFLD(0.25, s3=s3, image_size=size).eval()
    assert network(torch.zeros(1, 1, size, size)).shape == (1, 196)


def test_operands_of_every_residual_add_share_one_module() -> None:
    network = PFLD(0.25)
    blocks = [m for m in network.modules() if isinstance(m, Bottleneck)]
    pairs = itertools.pairwise(blocks)
    residual = [(a, b) for a, b in pairs if b.residual]
    assert len(blocks) == 13
    assert len(residual) == 10
    assert all(a.end is b.project.act and b.end is not a.end for a, b in residual)


def test_config_builds_the_same_network() -> None:
    network = PFLD(0.5, 68, "conv1x1", 64)
    assert PFLD(**network.config()).config() == network.config()
    PFLD(**network.config()).load_state_dict(network.state_dict())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 0.1}, r"width=0.1 is not supported; use a multiplier from 0.125 to 4"),
        ({"num_landmarks": 0}, r"num_landmarks=0: the network needs at least 1 landmark"),
        ({"s3": "conv5x5"}, r"s3='conv5x5' is unknown; use one of conv7x7, conv1x1"),
        ({"image_size": 100}, r"image_size=100 is not a positive multiple of 16"),
        ({"image_size": 96}, r"image_size=96 leaves less than 7x7 .* use at least 112"),
    ],
)
def test_illegal_arguments(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        PFLD(**arguments)
