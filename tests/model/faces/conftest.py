# SPDX-License-Identifier: Apache-2.0
"""A face that things are drawn on."""

import cv2
import numpy as np
import pytest

from model.faces.render import make_faces


@pytest.fixture(scope="module")
def face():
    """A frontal procedural face of 224 pixels, grey, and its landmarks in pixels."""
    faces = make_faces(12, seed=4)
    index = int(np.abs(faces.pose).sum(axis=1).argmin())
    image = cv2.resize(faces.images[index], (224, 224), interpolation=cv2.INTER_CUBIC)
    return image, faces.landmarks[index].astype(np.float64) * 224
