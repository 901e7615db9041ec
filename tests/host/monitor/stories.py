# SPDX-License-Identifier: Apache-2.0
"""Stories of drivers: what truly happens, what the network would give of it, and what must follow.

A story is a row of scenes. Landmarks are made from them at any frame rate with the errors that the
network was measured to have, and go through the tracker's filter, the measures and the states.
``python -m tests.host.monitor.stories --out FILE`` writes them as a table.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from host.common.arrays import F64Array, Points
from host.common.atomic import write_text
from host.common.tables import to_markdown
from host.face.eyes import Look
from host.face.landmarks import inter_ocular
from host.monitor.eyes import DOWN, SIDE, TURNED, UP
from host.monitor.measures import Measurer
from host.monitor.profile import Profile
from host.monitor.smooth import BETA, CUTOFF_HZ, OneEuro
from host.monitor.state import NORMAL, StateMachine
from host.monitor.thresholds import Thresholds
from tests.host.drivers import UNIT, face

RATES = (5, 15, 30, 60)
"""Frames a second at which every story is told."""

EYE_SHUT, PITCH_SEEN = 0.1, 0.9
"""What the network makes of a shut eye (aspect ratio) and of a degree of pitch; see the thresholds
``eye_shut`` and ``pitch_gain``."""

POINT_NOISE, EYES_NOISE, EYE_NOISE, MOUTH_NOISE = 0.0045, 0.027, 0.043, 0.011
"""Scatter from frame to frame, white in time: of a point in inter-ocular distances, of the eyes'
aspect ratios over the open ones' (what both have in common, and each by itself) and of the mouth's.
In all as much as ``python -m model evaluate-driver`` tells of all but the worst tenth of 40 faces
of 300-W, which is 0.004, 0.031, 0.038 and 0.009."""

WANDER, WANDER_S = 0.03, 4.0
"""Slow wandering of the eyes' aspect ratio, as expressions do, and its time constant."""

EYE_OPEN, MOUTH_WIDE = 0.32, 0.55
"""Aspect ratios that the network gives for an open eye and a wide open mouth (medians)."""

EYES_S, MOUTH_S, HEAD_S = 0.12, 0.5, 0.4
"""How long eyes, mouth and head take from one scene to the next."""


@dataclass(frozen=True, kw_only=True)
class Face:
    """A person's proportions, as the network sees them."""

    eye_open: float = EYE_OPEN
    wide: float = 1.0
    """Width of the jaw over the mean one."""
    chin: float = 1.0
    nose: float = 1.0
    brow: float = 1.0


ANNA = Face()
BERT = Face(eye_open=0.4, wide=1.06, chin=1.12, nose=1.09, brow=1.3)
CARL = Face(eye_open=0.235, wide=0.94, chin=0.9, nose=0.92, brow=0.8)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What is true for a while."""

    seconds: float
    eyes: float | tuple[float, float] = 1.0
    """Opening of the lids, 0 to 1; or of the left and the right one."""
    mouth: float = 0.0
    """Opening of the mouth, 0 to 1 as in a wide yawn."""
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    size: float = 1.0
    face: Face | None = ANNA
    """Whose face there is; None without."""
    visible: tuple[float, float] | None = None
    """What the look at the picture says of each eye; None where nobody looks."""
    picture: bool = True
    frames: bool = True
    """False where no frame comes at all."""
    blinks: bool = True
    """Whether the driver blinks now and then while the eyes are open."""
    recalibrate: bool = False
    """The button is pressed when the scene begins."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A state that must come, when, and how long it may stay."""

    state: str
    after_s: float
    """When its cause begins."""
    within_s: float
    until_s: float
    """Time in the story after which it must have gone."""
    must: bool = True
    """False for a state that may come and need not."""


@dataclass(frozen=True, kw_only=True)
class Story:
    """Scenes and what must follow; any other state than normal is wrong."""

    name: str
    scenes: tuple[Scene, ...]
    wanted: tuple[Wanted, ...] = ()
    also: tuple[str, ...] = ()
    """States that may be seen at any time."""
    profile: Profile | None = None
    steady: bool = True
    """False for frames that come at irregular times."""
    seed: int = 1

    @property
    def seconds(self) -> float:
        """Its length."""
        return sum(scene.seconds for scene in self.scenes)


@dataclass
class Told:
    """What the monitor said to a story at one frame rate."""

    story: Story
    rate: float
    states: list[tuple[float, str]] = field(default_factory=list)

    def seconds_to(self, wanted: Wanted) -> float | None:
        """From the cause to the state; None if it never came."""
        times = [at for at, state in self.states
                 if state == wanted.state and wanted.after_s <= at <= wanted.until_s]  # fmt: skip
        return times[0] - wanted.after_s if times else None

    def problems(self) -> list[str]:
        """One line for each wanted state that is late or missing and for each one not wanted."""
        found = []
        for wanted in self.story.wanted:
            after = self.seconds_to(wanted)
            if wanted.must and (after is None or after > wanted.within_s + 1.5 / self.rate):
                found.append(f"{wanted.state} within {wanted.within_s:g} s: {after}")
        wrong = [(at, state) for at, state in self.states if not self._allowed(at, state)]
        if wrong:
            at, state = wrong[0]
            found.append(f"{state} at {at:.2f} s ({len(wrong) / self.rate:.2f} s in all)")
        return found

    def _allowed(self, at: float, state: str) -> bool:
        if state == NORMAL or state in self.story.also:
            return True
        return any(w.state == state and w.after_s <= at <= w.until_s for w in self.story.wanted)


# -- from the truth to landmarks -------------------------------------------------------------------


@dataclass
class Moment:
    """The truth at a time, with smooth transitions between scenes."""

    scene: Scene
    eyes: F64Array
    mouth: float
    angles: F64Array
    """Yaw, pitch, roll."""


def moment(scenes: Sequence[Scene], time_s: float) -> Moment:
    """The truth of a story at a time."""
    begin, before, scene = 0.0, scenes[0], scenes[0]
    for after in scenes:
        before, scene = scene, after
        if time_s < begin + scene.seconds:
            break
        begin += scene.seconds
    since = time_s - begin
    if scene.face is not before.face:
        before = scene

    def blend(old: F64Array, new: F64Array, ramp_s: float) -> F64Array:
        return old + (new - old) * min(1.0, since / ramp_s)

    def angles(s: Scene) -> F64Array:
        return np.array([s.yaw, s.pitch, s.roll])

    eyes = blend(_pair(before.eyes), _pair(scene.eyes), EYES_S)
    mouth = blend(np.array(before.mouth), np.array(scene.mouth), MOUTH_S)
    return Moment(scene, eyes, float(mouth), blend(angles(before), angles(scene), HEAD_S))


def _pair(eyes: float | tuple[float, float]) -> F64Array:
    return np.array([eyes, eyes] if isinstance(eyes, int | float) else eyes, np.float64)


class Network:
    """Makes landmarks of the truth with the errors of the shipped network."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._wander = 0.0
        self._next_blink_s, self._blink_s = 2.0, 0.2

    def landmarks(self, now: Moment, time_s: float, step_s: float) -> Points | None:
        """(98, 2) pixels, None without a face."""
        who = now.scene.face
        rng = self._rng
        keep = math.exp(-step_s / WANDER_S)
        self._wander = keep * self._wander + rng.normal(0, WANDER * math.sqrt(1 - keep * keep))
        noise = rng.normal(0, 1, (98, 2))
        eye_noise = rng.normal(0, EYES_NOISE) + rng.normal(0, EYE_NOISE, 2)
        mouth_noise = rng.normal(0, MOUTH_NOISE)
        lids = self._blinking(time_s, now)
        if who is None:
            return None
        yaw, pitch, roll = now.angles + self._sway(time_s)
        ratio = EYE_SHUT + (who.eye_open - EYE_SHUT) * now.eyes * lids
        ratio = ratio * math.exp(self._wander) + who.eye_open * eye_noise
        ratio = np.maximum(ratio, 0.02) * _foreshortened(yaw, pitch)
        mouth = round(max(0.03, 0.05 + (MOUTH_WIDE - 0.05) * now.mouth + mouth_noise), 3)
        points = shaped(face(0.3, mouth, yaw, PITCH_SEEN * pitch, at=(0.0, 0.0)), who)
        points = _with_eyes(points, ratio) + POINT_NOISE * UNIT * _outside_eyes(noise)
        turn = math.radians(roll)
        matrix = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
        return np.asarray(now.scene.size * points @ matrix + (320.0, 200.0), np.float64)

    def _blinking(self, time_s: float, now: Moment) -> float:
        if time_s > self._next_blink_s + self._blink_s:
            self._next_blink_s = time_s + self._rng.uniform(2, 6)
            self._blink_s = self._rng.uniform(0.12, 0.25)
        blinking = now.scene.blinks and time_s >= self._next_blink_s
        return 0.0 if blinking else 1.0

    @staticmethod
    def _sway(time_s: float) -> F64Array:
        return np.array([2.0 * math.sin(time_s / 1.3), 1.5 * math.sin(time_s / 1.9 + 1),
                         1.5 * math.sin(time_s / 2.3 + 2)])  # fmt: skip


def look(now: Moment) -> Look | None:
    """What the test of the picture says; None where nobody looks."""
    if now.scene.visible is None:
        return None
    left, right = now.eyes
    return Look(now.scene.visible, (float(left), float(right)))


def _foreshortened(yaw: float, pitch: float) -> F64Array:
    """What turning makes of the eyes' aspect ratios, left and right, as measured on true faces."""
    y, p = yaw / 30, pitch / 30
    fall = (DOWN if p > 0 else UP) * p * p - TURNED * y * y
    return np.exp([-fall - SIDE * y, -fall + SIDE * y])


def shaped(points: Points, who: Face) -> Points:
    """Give a face its owner's proportions."""
    p = points.copy()
    p[:33, 0] *= who.wide
    p[:33, 1] *= who.chin
    p[54:60, 1] *= who.nose
    p[33:51, 1] -= 0.2 * UNIT * who.brow
    p[33:42, 0] -= 0.35 * UNIT * np.linspace(1.0, 0.5 * who.wide, 9)
    p[42:51, 0] += 0.35 * UNIT * np.linspace(0.5 * who.wide, 1.0, 9)
    return p


def _with_eyes(points: Points, ratio: F64Array) -> Points:
    """Move the lids so that each eye has its aspect ratio, corners staying where they are."""
    p = points.copy()
    for first, wanted in zip((60, 68), ratio, strict=True):
        middle = (p[first] + p[first + 4]) / 2
        half = float(np.hypot(*(p[first + 4] - p[first]))) * wanted / 2
        p[first + 1 : first + 4, 1] = middle[1] - half
        p[first + 5 : first + 8, 1] = middle[1] + half
    return p


def _outside_eyes(noise: F64Array) -> F64Array:
    """The eyes' scatter is that of their aspect ratio."""
    quiet = noise.copy()
    quiet[60:76] = 0
    return quiet


# -- telling ---------------------------------------------------------------------------------------


def times(story: Story, rate: float) -> Iterator[float]:
    """When its frames are."""
    rng = np.random.default_rng(story.seed + 100)
    at = 0.0
    while at < story.seconds:
        yield at
        at += 1 / rate if story.steady else float(rng.choice([0.3, 0.6, 1.0, 2.5])) / rate


def tell(story: Story, rate: float, limits: Thresholds | None = None) -> Told:
    """Let the monitor watch a story at ``rate`` frames per second."""
    limits = limits or Thresholds()
    network, smooth = Network(story.seed), OneEuro(CUTOFF_HZ, BETA)
    measurer, machine = Measurer(limits, story.profile), StateMachine(limits)
    told, last_s, scene, picture_s = Told(story, rate), 0.0, None, 0.0
    for at in times(story, rate):
        now = moment(story.scenes, at)
        if now.scene is not scene and now.scene.recalibrate:
            measurer.recalibrate()
        scene = now.scene
        points = network.landmarks(now, at, at - last_s)
        last_s = at
        if not scene.frames:
            continue
        picture_s = at if scene.picture else picture_s
        if points is None or not scene.picture:
            smooth.reset()
            points = None
        else:
            points = smooth.smooth(points, at, float(inter_ocular(points)))
        found = measurer.update(at, points, at - picture_s, look(now))
        told.states.append((at, machine.update(found)))
    return told


def scene(seconds: float, **truth: object) -> Scene:
    """A scene of an awake driver but for what is named."""
    return replace(Scene(seconds=seconds), **truth)  # type: ignore[arg-type]


def wanted(state: str, after_s: float, within_s: float, until_s: float = math.inf) -> Wanted:
    """A state that must come."""
    return Wanted(state=state, after_s=after_s, within_s=within_s, until_s=until_s)


def allowed(state: str, after_s: float, until_s: float) -> Wanted:
    """A state that may come."""
    return Wanted(state=state, after_s=after_s, within_s=math.inf, until_s=until_s, must=False)


def story(name: str, *scenes: Scene, wanted: Sequence[Wanted] = (), **more: object) -> Story:
    """A story of these scenes."""
    base = Story(name=name, scenes=scenes, wanted=tuple(wanted))
    return replace(base, **more)  # type: ignore[arg-type]


def learnt(*scenes: Scene) -> Profile:
    """The profile that the monitor has at the end of these scenes."""
    measurer, network = Measurer(Thresholds()), Network(7)
    before = story("before", *scenes)
    for at in times(before, 25):
        measurer.update(at, network.landmarks(moment(scenes, at), at, 0.04))
    profile = measurer.profile()
    assert profile is not None
    return profile


# -- the table -------------------------------------------------------------------------------------

HEADS = ("story", "frames per second", "wanted", "got", "seconds to it")


def row(told: Told) -> tuple[str, ...]:
    """A story at one frame rate as a row of the table."""
    musts = [one for one in told.story.wanted if one.must]
    seen = sorted({state for _, state in told.states} - {NORMAL})
    after = [told.seconds_to(one) for one in musts]
    return (
        told.story.name,
        f"{told.rate:g}",
        ", ".join(f"{one.state} within {one.within_s:g} s" for one in musts) or NORMAL,
        "; ".join(told.problems()) or ", ".join(seen) or NORMAL,
        ", ".join("never" if one is None else f"{one:.1f}" for one in after),
    )


def write_table(rates: Sequence[float], out: Path) -> None:
    """Tell every story at these rates and write the table."""
    from tests.host.monitor.story_book import STORIES

    rows = []
    for one in STORIES:
        rows += [row(tell(one, rate)) for rate in rates]
        print(f"{len(rows)} of {len(rates) * len(STORIES)}", file=sys.stderr, flush=True)
    named = " ".join(f"{rate:g}" for rate in rates)
    head = (
        "# Stories of drivers\n\nWhat the monitor says to stories whose truth is known, on "
        "landmarks with the errors that the network was\nmeasured to have; simulated, not filmed. "
        "Seconds count from the cause. A state may\ncome one and a half frames later than wanted, "
        "and some stories allow others beside it, such as *not calibrated*; a\ntest fails on any "
        "that is neither. Written by\n"
        f"`python -m tests.host.monitor.stories --rates {named} --out FILE`.\n\n"
    )
    write_text(out, head + to_markdown(HEADS, rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the table of stories.")
    parser.add_argument("--rates", type=float, nargs="+", default=RATES, metavar="FPS")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    options = parser.parse_args()
    write_table(options.rates, options.out)
