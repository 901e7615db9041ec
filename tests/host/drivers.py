# SPDX-License-Identifier: Apache-2.0
"""Landmarks and stand-ins whose truth is known: faces in space, detector, backend, source, sink.

``shipped_pipeline`` is none of them: it is what the product watches with.
"""

import math
from functools import lru_cache

import numpy as np

from host.face.detect.choice import open_detector
from host.face.detect.faces import Box, Face
from host.face.eyes import look_at_eyes
from host.face.pose import TEMPLATE, TEMPLATE_POINTS
from host.monitor.capture import Frame
from host.monitor.pipeline import Pipeline
from host.monitor.seat import ANYWHERE
from host.monitor.track import DirectSearch, Tracker

UNIT = 100.0
FPS = 25.0


def ring(x, width, ratio):
    """Eight points around (x, 0) with exactly this aspect ratio."""
    across = np.array([-1, -0.5, 0, 0.5, 1, 0.5, 0, -0.5]) * width / 2
    up = np.array([0, -1, -1, -1, 0, 1, 1, 1]) * width * ratio / 2
    return np.stack([x + across, up, np.full(8, 0.08)], 1)


@lru_cache(maxsize=1024)
def solid(eyes, mouth):
    """Points (98, 3) of a face, in inter-ocular distances; eyes and mouth are aspect ratios."""
    points = np.zeros((98, 3))
    angle = np.linspace(0, np.pi, 33)
    points[:33] = np.stack([-0.75 * np.cos(angle), 1.3 * np.sin(angle), 0.1 * np.sin(angle)], 1)
    points[33:60] = (0.0, -0.1, 0.2)
    points[list(TEMPLATE_POINTS)] = TEMPLATE
    points[60:68], points[68:76] = ring(-0.349, 0.302, eyes), ring(0.349, 0.302, eyes)
    points[76:88] = (0.0, 0.72, 0.15)
    points[88:96] = ring(0.0, 0.5, mouth) + np.array([0.0, 0.72, 0.05])
    points[[76, 82]] = TEMPLATE[8:10]
    points[[60, 64, 68, 72]] = TEMPLATE[:4]
    points[96:] = (0.0, 0.0, 0.1)
    points.setflags(write=False)
    return points


def face(eyes=0.3, mouth=0.05, yaw=0.0, pitch=0.0, at=(320.0, 200.0)):
    """Landmarks (98, 2) in pixels; eyes and mouth are aspect ratios, angles in degrees."""
    sa, ca = math.sin(math.radians(yaw)), math.cos(math.radians(yaw))
    sb, cb = math.sin(math.radians(pitch)), math.cos(math.radians(pitch))
    around_x = np.array([[1, 0, 0], [0, cb, sb], [0, -sb, cb]])
    around_y = np.array([[ca, 0, sa], [0, 1, 0], [-sa, 0, ca]])
    return (solid(eyes, mouth) @ (around_y @ around_x).T)[:, :2] * UNIT + at


class Finder:
    """A detector that knows where the bright square of a picture is."""

    def __init__(self):
        self.calls = 0

    def find(self, image):
        self.calls += 1
        rows, columns = np.nonzero(image[..., 0] > 100)
        if not len(rows):
            return []
        side = int(columns.max() - columns.min() + 1)
        box = Box(int(columns.min()), int(rows.min()), side, side)
        return [Face(box=box, score=1.0)]


class Backend:
    """A network that always gives the same fractions: a face that fills five sixths of the crop."""

    name, model, network, input_size, details = "stand-in", "-", "pfld_eyes", 112, {}

    def __init__(self, fail_at=None):
        points = face()
        low, high = points.min(0), points.max(0)
        side = 1.2 * (high - low).max()
        self.fractions = (points - (low + high) / 2) / side + 0.5
        self.calls, self.fail_at = 0, fail_at

    def infer(self, images, meanwhile=None):
        self.calls += 1
        if meanwhile is not None:
            meanwhile()
        if self.fail_at is not None and self.calls >= self.fail_at:
            raise self.failure
        return np.repeat(self.fractions[np.newaxis], len(images), axis=0)

    def close(self):
        pass


def picture(left=200, top=100, side=160, size=(480, 640)):
    """Dark picture with a bright textured square; left=None for none."""
    image = np.full((*size, 3), 20, np.uint8)
    if left is not None:
        texture = np.add.outer(np.arange(side), np.arange(side)) % 40 + 150
        image[top : top + side, left : left + side] = texture[..., None]
    return image


class Source:
    """Frames from a function of the number; ends after ``count``."""

    fps = FPS

    def __init__(self, draw, count, live=False):
        self.draw, self.count, self.live = draw, count, live
        self.number, self.closed = 0, False

    def read(self):
        if self.number >= self.count:
            return None
        number, self.number = self.number, self.number + 1
        return Frame(number, number / self.fps, self.draw(number))

    def close(self):
        self.closed = True


class Sink:
    """Keeps what it gets."""

    name, lossy = "stand-in", False

    def __init__(self):
        self.seen, self.closed = [], False

    def write(self, seen):
        self.seen.append(seen)

    def close(self):
        self.closed = True


def shipped_pipeline(source, backend, sinks, seat=ANYWHERE, seconds=None):
    """As the command has it for a recording: with the default detector and the eye test."""
    tracker = Tracker(backend, DirectSearch(open_detector(quick=True)), seat=seat)
    return Pipeline(source, tracker, sinks, seconds=seconds, looker=look_at_eyes)
