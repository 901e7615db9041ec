# SPDX-License-Identifier: Apache-2.0
"""From picture to landmarks: detect, crop, infer, map back, each stage timed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from host.backends import Backend
from host.detect import Box, FaceDetector
from host.preprocess import Transform, crop_face


class Face(NamedTuple):
    """A face that was found."""

    box: Box
    """Of the detector, pixels of the picture."""

    crop: Transform
    """The square that the network saw."""

    landmarks: npt.NDArray[np.float64]
    """(98, 2) x and y in picture coordinates."""


class StageTimes(dict[str, float]):
    """Wall time of each stage in milliseconds, in the order in which they ran."""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the body of a with statement."""
        start = time.perf_counter()
        yield
        self[name] = round((time.perf_counter() - start) * 1e3, 3)


def find_landmarks(
    image: npt.NDArray[np.uint8],
    detector: FaceDetector,
    backend: Backend,
    times: StageTimes,
    equalise: bool = False,
) -> Face:
    """Return the largest face of a picture with its landmarks.

    Args:
        image: picture, (H, W, 3) BGR, uint8.
        detector: finds the face.
        backend: computes the landmarks.
        times: gets the stages detect, crop and infer.
        equalise: histogram equalisation of the crop.

    Raises:
        UserError: no face is found; ToolError: the simulator failed.
    """
    with times.stage("detect"):
        box = detector.find_largest(image)
    with times.stage("crop"):
        crop, transform = crop_face(image, box, backend.size, equalise)
    with times.stage("infer"):
        fractions = backend.infer(crop[np.newaxis])[0]
    return Face(box, transform, transform.to_image(fractions))
