# SPDX-License-Identifier: Apache-2.0
"""Fine-tuning the grid head as quantised."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from model.data.crops import from_procedural
from model.data.mixture import Mixture
from model.faces.render import make_faces
from model.network.grid import decode
from model.training.config import CONFIGS
from model.training.ptq import Length, Tuner, equalised, post_train, random_batches
from model.training.qat import face_batches, face_loss, plain_loss
from tests.model.samples import as_tensor, random_network, smooth_images


def test_tuning_lowers_the_loss_of_the_cells() -> None:
    network = random_network(width=0.125, stem="depthwise", head="grid", pose_branch=False)
    quantised = post_train(network, as_tensor(smooth_images(8, 112, 0)))
    faces = make_faces(16, 3)
    mixture = Mixture((from_procedural(faces),), (1.0,))
    config = replace(CONFIGS["eyes"], augmentation=0.0)
    values: list[float] = []
    tuner = Tuner(quantised, Length(12), rate=3e-3)
    batches = face_batches(config, mixture, 16, 112)
    tuner.run(batches, face_loss(config, 112), lambda share, value: values.append(value))
    assert values[-1] < 0.8 * values[0], values
    assert quantised(as_tensor(faces.images)).shape == (16, 196)


def test_equalised_network_is_the_same() -> None:
    network = random_network(width=0.125, stem="depthwise", head="grid", pose_branch=False)
    like = equalised(network)
    images = as_tensor(smooth_images(2, 112, 1))
    torch.testing.assert_close(like(images), network(images), atol=1e-3, rtol=0)
    kept = network.state_dict()["stages_14.6.expand.conv.weight"]
    assert not torch.equal(like.state_dict()["stages_14.6.expand.conv.weight"], kept)


def test_loss_without_a_configuration() -> None:
    images, landmarks = smooth_images(4, 112, 0), torch.rand(4, 98, 2).double().numpy()
    _, target = next(random_batches(images, landmarks, 4))
    cells = torch.zeros(4, 294, 14, 14, requires_grad=True)
    plain_loss(cells, target).backward()
    assert cells.grad.abs().max() > 0
    assert plain_loss(decode(cells), target).item() == pytest.approx(
        (decode(cells) - target).abs().mean().item()
    )
