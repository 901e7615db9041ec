# SPDX-License-Identifier: Apache-2.0
"""Clips of a drawn driver that follows a script: what happens when is known to the frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from host.common.arrays import Image
from host.common.errors import UserError
from host.drawn.head import Head, draw_head

KINDS = ("blink", "closed", "yawn", "nod", "away", "gone")
"""What can happen: a short and a long closure of the eyes, a yawn, a nod, a look to the side, and
the driver leaving the picture."""

WIDTH, HEIGHT, FPS = 640, 480, 25.0
RAMP_S = {"blink": 0.06, "closed": 0.12, "yawn": 0.6, "nod": 0.35, "away": 0.4, "gone": 0.0}
"""How long each kind takes to begin, and again to end, inside of its event."""

NOD_DEG, AWAY_DEG = 22.0, 38.0


class Event(NamedTuple):
    """Something that the driver does between two times in seconds."""

    kind: str
    begin_s: float
    end_s: float


DEMO = (
    Event("blink", 1.6, 1.8),
    Event("blink", 3.4, 3.6),
    Event("closed", 5.5, 7.5),
    Event("blink", 8.4, 8.6),
    Event("yawn", 9.2, 12.4),
    Event("nod", 13.2, 14.1),
    Event("nod", 14.6, 15.5),
    Event("away", 16.2, 19.2),
    Event("blink", 19.6, 19.8),
)
"""The script of ``--source synthetic``; it repeats after DEMO_S seconds."""

DEMO_S = 20.0
NORMAL = tuple(Event("blink", at, at + 0.2) for at in (1.9, 5.3, 8.0, 12.4, 15.1, 18.2))
"""The script of ``--source synthetic-normal``: nothing but blinks."""

SCRIPTS = {"synthetic": DEMO, "synthetic-normal": NORMAL}


def check_script(script: Sequence[Event], period_s: float) -> None:
    """Raise UserError unless every event has a known kind and lies within the period."""
    for event in script:
        if event.kind not in KINDS or not 0 <= event.begin_s < event.end_s <= period_s:
            raise UserError(
                f"{event} is no event of a script of {period_s:g} s; use the kinds "
                f"{', '.join(KINDS)} and 0 <= begin_s < end_s <= {period_s:g}"
            )


def strength(event: Event, time_s: float) -> float:
    """How much of an event there is at a time: 0 outside, 1 between smooth beginning and end."""
    if not event.begin_s <= time_s <= event.end_s:
        return 0.0
    ramp = RAMP_S[event.kind]
    if ramp == 0:
        return 1.0
    share = min(1.0, (time_s - event.begin_s) / ramp, (event.end_s - time_s) / ramp)
    return 0.5 - 0.5 * math.cos(math.pi * share)


def head_at(script: Sequence[Event], time_s: float, period_s: float = DEMO_S) -> Head | None:
    """The driver at a time of a repeating script, None while gone.

    The head sways by a few pixels and degrees all the time.
    """
    within = time_s % period_s
    level = dict.fromkeys(KINDS, 0.0)
    for event in script:
        level[event.kind] = max(level[event.kind], strength(event, within))
    if level["gone"]:
        return None
    sway = [math.sin(2 * math.pi * time_s / period + period) for period in (5.3, 7.1, 9.7, 6.1)]
    return Head(
        x=WIDTH / 2 + 8 * sway[0],
        y=185 + 4 * sway[1],
        unit=105 + 1.5 * sway[2],
        eyes=1 - max(level["blink"], level["closed"]),
        mouth=level["yawn"],
        yaw=2 * sway[3] + AWAY_DEG * level["away"],
        pitch=1.5 * sway[1] + NOD_DEG * level["nod"],
        roll=1.5 * sway[0],
    )


def draw_frame(heads: Sequence[Head]) -> Image:
    """Picture (HEIGHT, WIDTH, 3) BGR uint8 of a cabin with these heads, the first one in front."""
    picture = _cabin().copy()
    for head in reversed(heads):
        draw_head(picture, head)
    return picture


def _cabin() -> Image:
    """The background: rear window, pillars and seat."""
    ramp = np.linspace(0.75, 1.1, HEIGHT, dtype=np.float32)[:, None, None]
    picture = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    picture[:] = np.clip(np.array([104, 98, 92], np.float32) * ramp, 0, 255).astype(np.uint8)
    window = np.array([[70, 90], [570, 90], [620, 240], [20, 240]], np.int32)
    cv2.fillPoly(picture, [window], (188, 180, 166), cv2.LINE_AA)
    seat = np.array([[215, 60], [425, 60], [520, 480], [120, 480]], np.int32)
    cv2.fillPoly(picture, [seat], (58, 54, 50), cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 2.5), np.uint8)
