# SPDX-License-Identifier: Apache-2.0
"""Scatter of a network whose errors are known."""

import cv2
import numpy as np
import pytest

from model.data.records import Record
from model.evaluation.scatter import scatter
from tests.host.drivers import face


class Shaking:
    """Gives a still face whose points are off by ``error`` of the eyes' distance."""

    input_size = 112

    def __init__(self, error):
        self.rng, self.error = np.random.default_rng(1), error
        points = face(eyes=0.3, at=(0.0, 0.0))
        low, high = points.min(0), points.max(0)
        self.side = 1.2 * (high - low).max()
        self.points = points - (low + high) / 2

    def infer(self, images):
        off = self.rng.normal(0, self.error * 100, self.points.shape)
        return ((self.points + off) / self.side + 0.5)[None]


@pytest.fixture
def records(tmp_path):
    picture = np.random.default_rng(2).integers(0, 255, (480, 640), np.uint8)
    cv2.imwrite(str(tmp_path / "face.png"), picture)
    return [Record(image=tmp_path / "face.png", points=face())] * 3


def test_a_network_that_shakes_more_scatters_more(records):
    calm, wild = (scatter(records, Shaking(error)) for error in (0.002, 0.006))
    assert set(calm) == {"scatter of a point", "scatter of both eyes together",
                         "scatter of each eye by itself", "scatter of the mouth"}  # fmt: skip
    assert 0.001 < calm["scatter of a point"] < 0.03
    for name in ("scatter of each eye by itself", "scatter of the mouth"):
        assert wild[name] > 2 * calm[name]


def test_without_faces_there_is_nothing_to_tell():
    assert all(np.isnan(value) for value in scatter([], Shaking(0.0)).values())
