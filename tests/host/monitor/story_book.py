# SPDX-License-Identifier: Apache-2.0
"""The stories: what drivers, passengers and cameras do, and what must be said about it."""

from __future__ import annotations

from host.monitor.state import (
    ASLEEP,
    AWAY,
    EYES_HIDDEN,
    NO_FACE,
    NO_PICTURE,
    NOT_CALIBRATED,
    TIRED,
    WRONG_WAY,
)
from tests.host.monitor.stories import (
    BERT,
    CARL,
    Face,
    Scene,
    Story,
    Wanted,
    allowed,
    learnt,
    scene,
    story,
    wanted,
)

SLEEP_S = 2.0
"""Sleep must be told within this time of the eyes' closing."""

CALM = scene(10)
TINY = Face(eye_open=0.178)
ANNAS = learnt(scene(20))
"""What the monitor has learnt of Anna on an earlier journey."""


def sleeps(after_s: float, seconds: float, within_s: float = SLEEP_S) -> list[Wanted]:
    """Asleep soon after the eyes close, and tired for a minute from then on."""
    return [wanted(ASLEEP, after_s, within_s, after_s + seconds + 1.4)]


def speech(seconds: float, mouth: float = 0.5, length_s: float = 0.25) -> tuple[Scene, ...]:
    """Syllable after syllable."""
    count = round(seconds / (2 * length_s))
    opened = scene(length_s, mouth=mouth)
    return (opened, scene(length_s)) * count


def _awake() -> list[Story]:
    """Nothing may be said about these."""
    lashes = scene(0.2, eyes=0.0)
    return [
        story("a minute awake", scene(60)),
        story("blinks of all lengths", *(CALM, lashes, scene(1), scene(0.35, eyes=0.0)) * 3),
        story("glances into the mirrors", CALM, *(scene(1.2, yaw=35), scene(4), scene(1.2, yaw=-40),
              scene(4)) * 3),
        story("from one mirror to the other", CALM, *(scene(1.2, yaw=36), scene(1.2, yaw=-36),
              scene(4)) * 3),
        story("frontal portrait with 16 degrees of pitch", scene(20, pitch=16)),
        story("camera 18 degrees aside", scene(20, yaw=18)),
        story("camera 30 degrees aside and low", scene(20, yaw=30, pitch=-12)),
        story("talking", CALM, *speech(15)),
        story("singing, long and short notes", CALM, *(scene(1.0, mouth=0.9), scene(0.5),
              scene(0.4, mouth=0.8), scene(0.3), scene(2.0, mouth=0.8), scene(0.6)) * 6),
        story("laughing with narrow eyes", CALM, *(scene(0.3, mouth=0.6, eyes=0.6),
              scene(0.2, mouth=0.4, eyes=0.6)) * 8, scene(5)),
        story("squinting into the sun for half a minute", CALM, scene(30, eyes=0.55), scene(5)),
        story("one yawn", CALM, scene(5, mouth=1.0, eyes=0.7), scene(5)),
        story("glasses put on: the eyes look a tenth smaller", CALM, scene(20, eyes=0.72), CALM),
        story("glasses taken off: the eyes look larger", scene(15, eyes=0.72), scene(20)),
        story("seat moved back and down", CALM, scene(20, size=0.7, pitch=-6)),
        story("looking down 12 degrees with open eyes", CALM, scene(6, pitch=12), scene(4)),
        story("speedometer: down 32 degrees with open eyes for a second and a half", CALM,
              *(scene(1.5, pitch=32), scene(4)) * 2),
        story("eyes half shut for a minute", CALM, scene(60, eyes=0.5)),
        story("looking down 20 degrees with open eyes, off and on", CALM,
              *(scene(1.5, pitch=20), scene(3)) * 2, scene(4)),
        story("camera far below: 40 degrees", scene(20, pitch=-40)),
        story("small eyes", scene(30, face=CARL)),
        story("wide eyes", scene(30, face=BERT)),
        story("one eye shut for a while", CALM, scene(6, eyes=(0.0, 1.0)), scene(6)),
        story("one eye covered, the other open", CALM, scene(10, visible=(0.1, 0.9)), scene(4)),
        story("frames at irregular times", scene(40), steady=False),
        story("frames drop for a second, eyes open", CALM, scene(1, frames=False), scene(6)),
        story("a hand over the face for less than a second", CALM, scene(0.8, face=None), CALM),
    ]  # fmt: skip


def _asleep() -> list[Story]:
    """Sleep, at once and long."""
    shut = scene(4, eyes=0.0)
    sleeper = scene(8, eyes=0.0)
    return [
        story("falls asleep", CALM, shut, scene(8), wanted=sleeps(10, 4), also=(TIRED,)),
        story("starts asleep and stays so", scene(15, eyes=0.0),
              wanted=[wanted(ASLEEP, 0, SLEEP_S)], also=(NOT_CALIBRATED, TIRED)),
        story("starts with closed eyes, wakes, falls asleep", scene(2, eyes=0.0), CALM, shut,
              scene(4), wanted=sleeps(12, 4), also=(TIRED, ASLEEP)),
        story("camera 18 degrees aside, falls asleep", scene(12, yaw=18),
              scene(5, yaw=18, eyes=0.0), wanted=sleeps(12, 5), also=(TIRED,)),
        story("camera low, falls asleep", scene(12, pitch=-15), scene(5, pitch=-15, eyes=0.0),
              wanted=sleeps(12, 5), also=(TIRED,)),
        story("portrait with 16 degrees, falls asleep", scene(12, pitch=16),
              scene(5, pitch=16, eyes=0.0), wanted=sleeps(12, 5), also=(TIRED,)),
        story("a mask, with which the chin seems 40 degrees lower, and sleep", scene(12, pitch=44),
              scene(5, pitch=44, eyes=0.0), wanted=sleeps(12, 5), also=(TIRED,)),
        story("sleeper whose head sinks by 12 degrees", CALM,
              scene(6, pitch=12, eyes=0.0), wanted=sleeps(10, 6), also=(TIRED,)),
        story("sleeper whose head falls aside by 12 degrees", CALM,
              scene(6, yaw=12, roll=15, eyes=0.0), wanted=sleeps(10, 6), also=(TIRED,)),
        story("sleeper whose head sinks back by 20 degrees, mouth open", CALM,
              scene(6, pitch=-20, mouth=0.4, eyes=0.0), wanted=sleeps(10, 6), also=(TIRED,)),
        story("camera tilted by 20 degrees, falls asleep", scene(12, roll=20),
              scene(5, roll=20, eyes=0.0), wanted=sleeps(12, 5), also=(TIRED,)),
        story("usual pose 18 degrees down, the head sinks by 20 more in sleep",
              scene(20, pitch=18), scene(20, pitch=38, eyes=0.0),
              wanted=[wanted(EYES_HIDDEN, 20, 2.8, 41)], also=(TIRED, ASLEEP)),
        story("usual pose 18 degrees up, the head falls back by 20 more in sleep",
              scene(20, pitch=-18), scene(20, pitch=-38, eyes=0.0),
              wanted=[wanted(EYES_HIDDEN, 20, 2.8, 41)], also=(TIRED, ASLEEP)),
        story("two microsleeps, then a head that sinks by 14 degrees", scene(20),
              *(scene(0.8, eyes=0.0), scene(5)) * 2, scene(20, pitch=14),
              wanted=[wanted(TIRED, 20, 1.2, 99)]),
        story("eyes open a slit in sleep", CALM, scene(5, eyes=0.12), wanted=sleeps(10, 5),
              also=(TIRED,)),
        story("sunglasses taken off, falls asleep", scene(8, visible=(0.1, 0.2)), scene(12),
              scene(5, eyes=0.0), wanted=[wanted(EYES_HIDDEN, 0, 2.1, 9.5),
              allowed(NOT_CALIBRATED, 8, 12.5), *sleeps(20, 5)], also=(TIRED,)),
        story("head falls on the chest", CALM, scene(8, pitch=45, eyes=0.0),
              wanted=[wanted(AWAY, 10, 2.5, 20)], also=(TIRED, ASLEEP)),
        story("sleeps for half a minute", CALM, scene(30, eyes=0.0), scene(5),
              wanted=sleeps(10, 30), also=(TIRED,)),
        story("sleeps while frames come at irregular times", CALM, sleeper, scene(4),
              wanted=sleeps(10, 8, 2.5), also=(TIRED,), steady=False),
        story("frames drop for a second in the middle of sleep", CALM, scene(1.0, eyes=0.0),
              scene(1.0, eyes=0.0, frames=False), scene(4, eyes=0.0), scene(3),
              wanted=sleeps(10, 6, 2.2), also=(TIRED,)),
        story("small eyes fall asleep", scene(12, face=CARL), scene(5, face=CARL, eyes=0.0),
              wanted=sleeps(12, 5), also=(TIRED,)),
        story("very small eyes fall asleep", scene(30, face=TINY), scene(5, face=TINY, eyes=0.0),
              wanted=[allowed(NOT_CALIBRATED, 0, 14), *sleeps(30, 5)], also=(TIRED,)),
        story("wide eyes fall asleep", scene(12, face=BERT), scene(5, face=BERT, eyes=0.0),
              wanted=sleeps(12, 5), also=(TIRED,)),
        story("one eye covered, the other falls asleep", CALM,
              scene(5, visible=(0.1, 0.9), eyes=(1.0, 0.0)), wanted=sleeps(10, 5), also=(TIRED,)),
        story("one eye always shut, the other falls asleep", scene(12, eyes=(0.0, 1.0)),
              scene(5, eyes=0.0), wanted=sleeps(12, 5), also=(TIRED,)),
        story("sleeps after squinting for half a minute", CALM, scene(30, eyes=0.55),
              scene(5, eyes=0.0), wanted=sleeps(40, 5), also=(TIRED,)),
        story("drowsy eyes at the start, wide awake, asleep", scene(8, eyes=0.6), scene(12),
              scene(5, eyes=0.0), wanted=sleeps(20, 5), also=(TIRED,)),
        story("asleep right after being hidden for two seconds", CALM, scene(2, face=None),
              scene(8, eyes=0.0), wanted=sleeps(12, 8), also=(TIRED, NO_FACE, EYES_HIDDEN)),
        story("known by a profile, asleep from the start", scene(6, eyes=0.0),
              wanted=sleeps(0, 6), also=(TIRED, NOT_CALIBRATED), profile=ANNAS),
    ]  # fmt: skip


def _tired() -> list[Story]:
    return [
        story("a microsleep", CALM, scene(0.9, eyes=0.0), scene(8),
              wanted=[wanted(TIRED, 10, 1.1)]),
        story("lids that close longer and longer", scene(20),
              *(scene(1.2), scene(0.4, eyes=0.0)) * 25, wanted=[wanted(TIRED, 20, 40)]),
        story("three yawns", CALM, *(scene(4, mouth=1.0), scene(6)) * 3,
              wanted=[wanted(TIRED, 30, 3)]),
        story("three yawns of somebody who talks", CALM,
              *(*speech(4), scene(5, mouth=1.0), scene(2)) * 3, wanted=[wanted(TIRED, 35, 8)]),
        story("three nods", CALM, *(scene(0.9, pitch=22), scene(2)) * 3, scene(4),
              wanted=[wanted(TIRED, 15, 4)]),
    ]  # fmt: skip


def _unjudged() -> list[Story]:
    """What cannot be judged says so."""
    return [
        story("looks away", CALM, scene(5, yaw=40), scene(4), wanted=[wanted(AWAY, 10, 2.5, 16.5)]),
        story("looks down at a telephone", CALM, scene(6, pitch=38), scene(4),
              wanted=[wanted(AWAY, 10, 2.6, 17.5)]),
        story("looks down 32 degrees with open eyes", CALM, scene(6, pitch=32), scene(4),
              wanted=[wanted(AWAY, 10, 2.6, 17.5)]),
        story("looks up", CALM, scene(6, pitch=-34), scene(4),
              wanted=[wanted(AWAY, 10, 2.6, 17.5)]),
        story("leaves the seat", CALM, scene(5, face=None), scene(6),
              wanted=[wanted(NO_FACE, 10, 2.1, 16.5)]),
        story("sunglasses put on", CALM, scene(8, visible=(0.1, 0.2)), scene(4),
              wanted=[wanted(EYES_HIDDEN, 10, 2.1, 19.5)]),
        story("sunglasses from the start", scene(20, visible=(0.2, 0.1)),
              wanted=[wanted(EYES_HIDDEN, 0, 2.1)], also=(NOT_CALIBRATED,)),
        story("the stream hangs", CALM, scene(5, picture=False), scene(4),
              wanted=[wanted(NO_PICTURE, 10, 2.1, 16.5)]),
        story("the stream hangs while the driver sleeps", CALM, scene(1, eyes=0.0),
              scene(5, eyes=0.0, picture=False), scene(4),
              wanted=[wanted(NO_PICTURE, 11, 2.1, 17.5)], also=(TIRED,)),
        story("camera upside down", scene(10, roll=180), wanted=[wanted(WRONG_WAY, 0, 2.1)],
              also=(EYES_HIDDEN, NOT_CALIBRATED)),
        story("eyes that never close", scene(130, blinks=False),
              wanted=[wanted(NOT_CALIBRATED, 5, 125)]),
        story("eyes too small to be told from shut ones", scene(20, blinks=False, face=TINY),
              wanted=[wanted(NOT_CALIBRATED, 0, 5.1)]),
        story("very small eyes, known by their blinks", scene(80, face=TINY),
              wanted=[allowed(NOT_CALIBRATED, 0, 14)]),
    ]  # fmt: skip


def _flicker() -> list[Story]:
    """Faces, eyes and pictures that are lost for a moment again and again hide nothing."""
    shut, glimpse = scene(1.0, eyes=0.0), scene(0.15, face=None)
    seen, unseen = (scene(0.3, eyes=0.0, visible=(v, v)) for v in (0.9, 0.2))
    dark = scene(0.15, visible=(0.2, 0.2), face=None)
    asleep, awake = (scene(1.2, picture=False, eyes=eyes) for eyes in (0.0, 1.0))
    return [
        story("sleeps while flickering light loses the face every second", CALM,
              *(shut, glimpse) * 7, scene(4), wanted=sleeps(10, 8.1), also=(TIRED,)),
        story("awake while flickering light loses the face every second",
              *(scene(1.0), glimpse) * 20),
        story("sunglasses, and the face is lost every second", CALM,
              *(scene(1.0, visible=(0.1, 0.2)), dark) * 7, scene(4),
              wanted=[wanted(EYES_HIDDEN, 10, 2.3, 19.5)]),
        story("never calibrated, and the face is lost every two seconds",
              *(scene(2.0, blinks=False, face=TINY), glimpse) * 7,
              wanted=[wanted(NOT_CALIBRATED, 0, 5.3)]),
        story("sleeps while the eyes are seen and not seen in turns", CALM,
              *(seen, unseen) * 10, scene(4), wanted=sleeps(10, 6), also=(TIRED, EYES_HIDDEN)),
        story("sleeps in a shaking picture that shows the eyes now and then", CALM,
              *(scene(0.2, eyes=0.0, visible=(0.9, 0.9)), scene(1.2, eyes=0.0,
              visible=(0.2, 0.2))) * 6, scene(4),
              wanted=[wanted(EYES_HIDDEN, 10.2, 2.3, 20)], also=(TIRED, ASLEEP)),
        story("awake while the eyes are seen and not seen in turns", CALM,
              *(scene(0.4), scene(0.4, visible=(0.2, 0.2))) * 20, scene(4)),
        story("sleeps while the face is found for moments only", CALM,
              *(scene(1.7, face=None), scene(0.4, eyes=0.0)) * 14,
              wanted=[wanted(EYES_HIDDEN, 10, 4.7, 42)], also=(TIRED, ASLEEP)),
        story("no face and hidden eyes in turns", CALM,
              *(scene(1.5, face=None), scene(1.5, eyes=0.0, visible=(0.1, 0.1))) * 8,
              wanted=[wanted(EYES_HIDDEN, 10, 4.7, 36)], also=(TIRED, ASLEEP)),
        story("a face that is found for a moment every second and a half", CALM,
              *(scene(1.3, face=None), scene(0.2, eyes=0.0)) * 7, scene(4),
              wanted=[wanted(NO_FACE, 10, 3.6, 22)], also=(TIRED, ASLEEP)),
        story("sleeps while the stream stutters", CALM,
              *(asleep, scene(0.2, eyes=0.0)) * 8, scene(4),
              wanted=[wanted(ASLEEP, 11.2, 2.9, 23)], also=(TIRED, EYES_HIDDEN)),
        story("lights that go out every second, in which the head seems to fall", CALM,
              *(scene(0.8), scene(0.5, pitch=22, visible=(0.1, 0.1))) * 10),
        story("awake while the stream stutters", CALM, *(awake, scene(0.4)) * 10,
              also=(NOT_CALIBRATED,)),
        story("a picture every three seconds", CALM,
              *(scene(2.9, frames=False), scene(0.1)) * 5,
              wanted=[wanted(NO_PICTURE, 10, 3.1, 26)], also=(TIRED,)),
    ]  # fmt: skip


def _people() -> list[Story]:
    gone = scene(6, face=None)
    return [
        story("the next driver has wider eyes and falls asleep", CALM, gone, scene(12, face=BERT),
              scene(5, face=BERT, eyes=0.0),
              wanted=[wanted(NO_FACE, 10, 2.1, 17.5), *sleeps(28, 5)],
              also=(TIRED,)),
        story("the next driver has smaller eyes and is awake", scene(12, face=BERT), gone,
              scene(20, face=CARL), wanted=[wanted(NO_FACE, 12, 2.1, 19.5)]),
        story("the next driver has smaller eyes and falls asleep", scene(12, face=BERT), gone,
              scene(12, face=CARL), scene(5, face=CARL, eyes=0.0),
              wanted=[wanted(NO_FACE, 12, 2.1, 19.5), *sleeps(30, 5)], also=(TIRED,)),
        story("the next driver holds the head 20 degrees otherwise", CALM, gone,
              scene(12, face=BERT, yaw=12, pitch=16),
              scene(5, face=BERT, yaw=12, pitch=16, eyes=0.0),
              wanted=[wanted(NO_FACE, 10, 2.1, 17.5), *sleeps(28, 5)], also=(TIRED,)),
        story("the driver comes back and looks at the passenger", CALM, gone, scene(3, yaw=30),
              scene(10), scene(4, eyes=0.0), wanted=[wanted(NO_FACE, 10, 2.1, 17.5),
              allowed(AWAY, 16, 20.5), *sleeps(29, 4)], also=(TIRED,)),
        story("the face changes without a gap", CALM, scene(15, face=BERT),
              scene(5, face=BERT, eyes=0.0), wanted=sleeps(25, 5), also=(TIRED,)),
        story("the button is pressed with another pose", CALM, scene(15, yaw=28, recalibrate=True),
              scene(5, yaw=28, eyes=0.0), wanted=sleeps(25, 5), also=(TIRED,)),
        story("a profile of somebody else", scene(12, face=BERT), scene(5, face=BERT, eyes=0.0),
              wanted=sleeps(12, 5), also=(TIRED,), profile=ANNAS),
    ]  # fmt: skip


STORIES: tuple[Story, ...] = tuple(
    [*_awake(), *_asleep(), *_tired(), *_unjudged(), *_flicker(), *_people()]
)
"""All of them; names are unique."""
