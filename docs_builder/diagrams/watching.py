# SPDX-License-Identifier: Apache-2.0
"""The monitor's threads and queues, its states, and the 98 points."""

from __future__ import annotations

import numpy as np

from docs_builder.diagrams.svg import Drawing
from host.common.arrays import F64Array
from host.face.landmarks import GROUPS, OUTER_CORNERS
from host.monitor.pipeline import QUEUE
from host.monitor.state import ALARMS, STATES
from host.monitor.thresholds import Thresholds
from model.faces.shape import Shape, flat_points


def threads() -> Drawing:
    """Threads, and the queues between them."""
    drawing = Drawing(930, 340, "Threads and queues of the monitor")
    drawing.write((20, 28), f"Each box is a thread, each bar a queue of {QUEUE} frames", 16,
                  anchor="start", bold=True)  # fmt: skip
    drawing.box((20, 70), (150, 60), ["source", "live: reads, reopens"], "plain")
    drawing.box((204, 70), (130, 60), ["capture", "times, turns"], "blue")
    drawing.box((396, 70), (150, 60), ["follow", "crop, landmarks"], "blue")
    drawing.box((608, 70), (130, 60), ["judge", "eyes, state"], "blue")
    drawing.box((396, 192), (150, 60), ["detector", "first face, loss, 2 s"], "plain")
    drawing.arrow([(170, 100), (204, 100)])
    for left, right in ((334, 396), (546, 608)):
        drawing.arrow([(left, 100), (right, 100)], "blue")
        drawing.rect(((left + right) / 2 - 10, 84), (7, 32), "orange", 1)
        drawing.rect(((left + right) / 2 + 1, 84), (7, 32), "orange", 1)
    drawing.arrow([(455, 130), (455, 192)], "plain", "4 3")
    drawing.arrow([(487, 192), (487, 130)], "plain", "4 3")
    sinks = ("JSON lines", "video", "dashboard", "MQTT", "alarm, GPIO", "report")
    for index, name in enumerate(sinks):
        y = 58 + index * 45
        drawing.box((800, y), (114, 34), [name], "green", 12)
        drawing.arrow([(738, 100), (756, 100), (756, y + 17), (800, y + 17)], "green")
        drawing.rect((768, y + 6), (6, 22), "orange", 1)
        drawing.rect((778, y + 6), (6, 22), "orange", 1)
    notes = (
        "Live sources: a full queue drops its oldest frame, so the picture is never late.",
        "Recordings: a full queue waits, so a run can be repeated.",
        "A sink that fails is told and left out; the others go on.",
    )
    for index, text in enumerate(notes):
        drawing.write((20, 286 + 18 * index), text, 12, "soft", "start")
    return drawing


def causes(limits: Thresholds) -> dict[str, str]:
    """Cause of each state in words, with the default thresholds."""
    return {
        "asleep": f"eyes closed for {limits.asleep_s:g} s",
        "no picture": f"a live source gives none for {limits.no_picture_s:g} s",
        "no face": f"no face for {limits.no_face_s:g} s",
        "looking away": f"{limits.away_yaw_deg:g} degrees off the usual pose for "
        f"{limits.away_s:g} s",
        "wrong way up": f"tilted by over {limits.wrong_way_deg:g} degrees for "
        f"{limits.wrong_way_s:g} s",
        "eyes not visible": f"no eye can be judged for {limits.eyes_hidden_s:g} s, "
        f"or none is seen open for {limits.unseen_s:g} s",
        "tired": f"PERCLOS over {limits.perclos_tired:g}, {limits.tired_microsleeps:g} microsleep, "
        f"{limits.tired_yawns:g} yawns or {limits.tired_nods:g} nods in a minute",
        "not calibrated": f"a face for {limits.uncalibrated_s:g} s, its open eyes unknown",
        "normal": "none of the others",
    }


def states() -> Drawing:
    """States from the most urgent down, from the table of the code."""
    limits = Thresholds()
    words = causes(limits)
    drawing = Drawing(930, 78 + 44 * len(STATES) + 40, "States of the monitor")
    drawing.write((20, 28), "The most urgent state whose cause is there wins", 16, anchor="start",
                  bold=True)  # fmt: skip
    drawing.write((150, 56), "state", 12, "soft")
    drawing.write((300, 56), "cause", 12, "soft", "start")
    top = 66
    for index, state in enumerate(reversed(STATES)):
        y = top + 44 * index
        kind = "red" if state in ALARMS else "green" if state == STATES[0] else "orange"
        drawing.box((60, y), (190, 34), [state], kind)
        drawing.line([(250, y + 17), (290, y + 17)], kind)
        drawing.write((300, y + 22), words[state], 13, anchor="start")
    bottom = top + 44 * len(STATES) - 10
    drawing.arrow([(34, bottom - 17), (34, top + 17)], "red")
    drawing.line([(34, bottom - 17), (60, bottom - 17)], "red")
    drawing.arrow([(800, top + 17), (800, bottom - 17)], "green")
    drawing.write((806, top + 160), "down:", 12, anchor="start", bold=True)
    drawing.write((806, top + 178), f"{limits.release_s:g} s after the", 12, "soft", "start")
    drawing.write((806, top + 194), "cause is gone", 12, "soft", "start")
    drawing.rect((20, bottom + 20), (14, 14), "red", 2)
    drawing.write((40, bottom + 32), "sounds, unless told otherwise", 12, "soft", "start")
    drawing.rect((240, bottom + 20), (14, 14), "orange", 2)
    drawing.write((260, bottom + 32), "is shown only", 12, "soft", "start")
    drawing.write((400, bottom + 32), "up (red arrow): at once", 12, "soft", "start")
    return drawing


FACE = Shape(
    width=0.8, chin=1.25, square=2.2, crown=1.1, eye_inner=0.19, eye_open=0.085, eye_slant=0.01,
    gaze=(0.0, 0.0), brow_y=-0.24, brow_arch=0.06, brow_tilt=0.01, brow_thick=0.09, nose_y=0.48,
    nose_half=0.2, nose_high=0.2, mouth_y=0.77, mouth_half=0.34, lip_upper=0.1, lip_lower=0.13,
    mouth_open=0.13, smile=0.02, skew=0.0,
)  # fmt: skip
"""Of the drawing of the points: everything wide enough for its numbers."""

COLOURS = {"contour": "plain", "brows": "orange", "nose": "violet", "eyes": "blue", "lips": "red"}


def points() -> Drawing:
    """The 98 points with their numbers, on a face of the training's shapes."""
    drawing = Drawing(930, 930, "The 98 points of WFLW")
    scale = 480
    places = flat_points(FACE) * scale + (465, 240)
    drawing.write((20, 28), "The 98 points, as WFLW numbers them", 16, anchor="start", bold=True)
    for group in GROUPS:
        kind = COLOURS[group.part]
        chain = [tuple(places[i]) for i in group.indices]
        drawing.line([*chain, chain[0]] if group.closed else chain, kind)
    for group in GROUPS:
        middle = places[group.indices].mean(0)
        for i in group.indices:
            away = _away(group.name, places[i], middle)
            x, y = places[i]
            drawing.circle((x, y), 3.2, COLOURS[group.part])
            drawing.write((x + 14 * away[0], y + 13 * away[1] + 4), str(i), 11)
    left, right = places[list(OUTER_CORNERS)]
    level = 320.0
    for corner in (left, right):
        drawing.line([(corner[0], level), (corner[0], corner[1] + 8)], "green", "3 3")
    drawing.line([(left[0], level), (right[0], level)], "green")
    drawing.write((right[0] - 2, level + 16), "inter-ocular distance, 60 to 72:", 11, "soft", "end")
    drawing.write((right[0] - 2, level + 31), "errors are in percent of it", 11, "soft", "end")
    return drawing


def _away(name: str, place: F64Array, middle: F64Array) -> F64Array:
    """Direction in which a number stands: outwards from its group, inwards for the inner lips."""
    if name == "nose bridge":
        return np.array([1.0, 0.0])
    if name == "nose base" or ("brow" in name and place[1] > middle[1]):
        return np.array([0.0, 1.0])
    if "pupil" in name:
        return np.array([0.0, -1.0])
    step = place - middle
    if name == "contour":
        step = place - (465, 440)
    length = float(np.hypot(*step)) or 1.0
    sign = -1.0 if name == "inner lips" else 1.0
    outwards: F64Array = step / length * sign
    return outwards
