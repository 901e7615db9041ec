# SPDX-License-Identifier: Apache-2.0
"""Networks that the model tests share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from qonnx.core.modelwrapper import ModelWrapper

from model.export import to_qonnx
from model.network import PFLD
from model.quantise import post_train
from tests.model.samples import as_tensor, random_network, smooth_images


@pytest.fixture(scope="session")
def network() -> PFLD:
    """FP32 network of width 0.25 at full image size."""
    return random_network(width=0.25)


@pytest.fixture(scope="session")
def images() -> npt.NDArray[np.uint8]:
    """Eight images that the network has not been calibrated on."""
    return smooth_images(8, 112, seed=1)


@pytest.fixture(scope="session")
def twin(network: PFLD) -> PFLD:
    """Its INT8 twin."""
    return post_train(network, as_tensor(smooth_images(16, 112, seed=0)))


@pytest.fixture(scope="session")
def raw_model(twin: PFLD) -> ModelWrapper:
    """QONNX of the twin before snapping. Copy before you change it."""
    return to_qonnx(twin)
