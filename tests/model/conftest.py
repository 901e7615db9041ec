# SPDX-License-Identifier: Apache-2.0
"""Networks that the model tests share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from qonnx.core.modelwrapper import ModelWrapper

from model.data import wflw
from model.data.scheme68 import to_68
from model.export.snap import to_qonnx
from model.faces.render import Faces, make_faces
from model.network.pfld import PFLD
from model.training.ptq import post_train
from tests.model.layouts import picture, row, write_pts
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
def quantised(network: PFLD) -> PFLD:
    """Its quantised form."""
    return post_train(network, as_tensor(smooth_images(16, 112, seed=0)))


@pytest.fixture(scope="session")
def raw_model(quantised: PFLD) -> ModelWrapper:
    """QONNX of the quantised network before snapping. Copy before you change it."""
    return to_qonnx(quantised)


@pytest.fixture(scope="session")
def drawn() -> Faces:
    """Four procedural faces."""
    return make_faces(4, 7)


@pytest.fixture
def wflw_root(tmp_path: Path, drawn: Faces) -> Path:
    """Faces 0 and 1 to train on, face 2 in the test list, face 3 with every other point."""
    root = tmp_path / "wflw"
    pixels = drawn.landmarks.astype(np.float64) * 112
    pixels[3, ::2] = np.nan
    names = [f"{i}--Event/{i}.png" for i in range(4)]
    for name, image in zip(names, drawn.images, strict=True):
        picture(root / wflw.IMAGES / name, image)
    parts = {"train": (0, 1), "test": (2,), "partial": (3,)}
    for part, members in parts.items():
        path = wflw.list_path(root, part)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(row(pixels[i], names[i]) for i in members) + "\n")
    return root


@pytest.fixture
def ibug_root(tmp_path: Path, drawn: Faces) -> Path:
    """Two faces to train on and two of the test folders."""
    root = tmp_path / "300w"
    pixels = to_68(drawn.landmarks.astype(np.float64) * 112)
    folders = ("helen/trainset", "lfpw/trainset", "helen/testset", "lfpw/testset")
    for folder, image, points in zip(folders, drawn.images, pixels, strict=True):
        picture(root / folder / "face.png", image)
        write_pts(root / folder / "face.pts", points)
    return root
