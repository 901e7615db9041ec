# SPDX-License-Identifier: Apache-2.0
"""A drawn driver in everyday situations, with the shipped network and detector.

The driver is awake for eight seconds, then falls asleep in some way, and must not be called normal
for long; nothing is said of him while he is awake.
"""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from host.backends import DEFAULT_MODEL, open_backend
from host.drawn.script import NORMAL, draw_frame, head_at
from host.face.detect.choice import open_detector
from host.monitor import state as s
from host.monitor.watch import Monitor

FPS, SLEEP_S, END_S = 7.0, 8.0, 14.0


@pytest.fixture(scope="module")
def backend():
    opened = open_backend("cpu", DEFAULT_MODEL, threads=1)
    yield opened
    opened.close()


def as_it_is(image, time_s, rng):
    return image


def blinking_lamp(image, time_s, rng):
    """A warning lamp in a dark cabin: the light is there and a tenth of it in turns."""
    return (image * (0.1 if int(4 * time_s) % 2 else 1.0)).astype(np.uint8)


def lights_of_a_tunnel(image, time_s, rng):
    """Nearly dark for 0.3 s of each second."""
    return (image * (0.02 if time_s % 1 < 0.3 else 1.0)).astype(np.uint8)


def infrared(image, time_s, rng):
    """Grey, flat and noisy."""
    grey = 60 + 0.6 * cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) + rng.normal(0, 6, image.shape[:2])
    return cv2.cvtColor(np.clip(grey, 0, 255).astype(np.uint8), cv2.COLOR_GRAY2BGR)


def shaking(image, time_s, rng):
    """A loose camera on a bad road: the picture jumps and is blurred by it."""
    right, down = rng.normal(0, 8, 2)
    moved = cv2.warpAffine(image, np.array([[1, 0, right], [0, 1, down]]), image.shape[1::-1])
    return cv2.blur(moved, (1, 1 + int(abs(down))))


def at_the_edge(image, time_s, rng):
    """The face fills the left edge of the picture."""
    return np.ascontiguousarray(image[:, 225:])


def nods_off(head, share):
    return replace(head, eyes=0.0)


def leans_aside(head, share):
    """Towards the passenger, with closed eyes."""
    return replace(head, eyes=0.0, roll=50 * share, x=head.x + 130 * share, y=head.y + 60 * share)


def falls_forward(head, share):
    return replace(head, eyes=0.0, pitch=50 * share, y=head.y + 50 * share)


def falls_back(head, share):
    return replace(head, eyes=0.0, pitch=-25 * share, mouth=0.5 * share)


def slides_down(head, share):
    """Out of the picture."""
    return replace(head, eyes=0.0, y=head.y + 420 * share)


def watch(backend, picture, move):
    """(time, state) of each frame."""
    rng, monitor, told = np.random.default_rng(1), Monitor(backend, open_detector(quick=True)), []
    for number in range(round(END_S * FPS)):
        time_s = number / FPS
        head = head_at(NORMAL, time_s)
        if time_s >= SLEEP_S:
            head = move(head, min(1.0, (time_s - SLEEP_S) / 1.5))
        image = picture(draw_frame([head]), time_s, rng)
        told.append((time_s, monitor.update(time_s, image).state))
    return told


@pytest.mark.parametrize(
    ("picture", "move", "wanted"),
    [
        (blinking_lamp, nods_off, {s.ASLEEP}),
        (lights_of_a_tunnel, nods_off, {s.ASLEEP}),
        (infrared, nods_off, {s.ASLEEP}),
        (shaking, nods_off, {s.ASLEEP}),
        (at_the_edge, nods_off, {s.ASLEEP}),
        (as_it_is, leans_aside, {s.ASLEEP, s.WRONG_WAY, s.NO_FACE}),
        (as_it_is, falls_forward, {s.ASLEEP, s.AWAY, s.NO_FACE}),
        (as_it_is, falls_back, {s.ASLEEP}),
        (as_it_is, slides_down, {s.ASLEEP, s.NO_FACE}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_sleeper_is_told_in_every_situation(backend, picture, move, wanted):
    told = watch(backend, picture, move)
    assert {state for at, state in told if at < SLEEP_S} == {s.NORMAL}
    first = next((at for at, state in told if at >= SLEEP_S and state in wanted), None)
    assert first is not None, told[-1]
    assert first - SLEEP_S < 3.6
    assert {state for at, state in told if at > first} <= wanted | {s.TIRED}
