# SPDX-License-Identifier: Apache-2.0
"""Small clips that were once judged wrongly, with the shipped network and detector.

Three are drawn drivers, portrait_12s.mp4 is NASA's public-domain portrait of Eileen Collins. Every
third frame is watched, which is eight a second.
"""

from pathlib import Path

import pytest

from host.backends import MONITOR_MODEL, open_backend
from host.face.detect.choice import open_detector
from host.face.eyes import eyes_visible
from host.monitor.pipeline import Pipeline
from host.monitor.seat import ANYWHERE, parse_seat
from host.monitor.sources import open_source
from host.monitor.track import DirectSearch, Tracker
from tests.host.drivers import Sink

CASES = Path(__file__).parent / "cases"


class EveryThird:
    """A source's frames but for two of three, with their times."""

    live = False

    def __init__(self, source):
        self._source, self.fps = source, source.fps / 3

    def read(self):
        frame = self._source.read()
        for _ in range(2):
            self._source.read()
        return frame

    def close(self):
        self._source.close()


@pytest.fixture(scope="module")
def backend():
    opened = open_backend("cpu", MONITOR_MODEL, threads=1)
    yield opened
    opened.close()


def watch(name, backend, seat=ANYWHERE):
    """(time, state, middle of the landmarks or None) of every frame."""
    rows = []
    sink = Sink()
    sink.write = lambda seen: rows.append((
        seen.frame.time_s, seen.state,
        None if seen.track.landmarks is None else seen.track.landmarks.mean(axis=0),
        seen.measures,
    ))  # fmt: skip
    search = DirectSearch(open_detector(quick=True))
    tracker = Tracker(backend, search, seat=seat, visibility=eyes_visible)
    Pipeline(EveryThird(open_source(str(CASES / name))), tracker, [sink]).run()
    return rows


def states(rows, begin=0.0, end=1e9):
    return {state for at, state, *_ in rows if begin <= at < end}


def asleep_after(rows, begin):
    return next(at - begin for at, state, *_ in rows if state == "asleep" and at >= begin)


def test_a_portrait_is_awake_calibrated_and_does_not_yawn(backend):
    rows = watch("portrait_12s.mp4", backend)
    assert states(rows) == {"normal"}
    assert next(at for at, *_, found in rows if found.calibrated) < 5
    assert rows[-1][-1].yawns == 0


def test_closed_eyes_at_the_start_do_not_blind_the_drive(backend):
    rows = watch("starts_asleep.mp4", backend)
    assert asleep_after(rows, 12.0) < 2.2
    assert "asleep" not in states(rows, 4, 13)


def test_a_camera_aside_calibrates_and_sees_sleep(backend):
    rows = watch("camera_18_degrees.mp4", backend)
    assert asleep_after(rows, 12.0) < 2.2
    assert states(rows, 0, 12.4) == {"normal"}


@pytest.mark.parametrize("seat", ["left", None])
def test_a_hidden_driver_is_waited_for_and_the_passenger_ignored(backend, seat):
    rows = watch("driver_hidden_then_asleep_passenger.mp4", backend,
                 ANYWHERE if seat is None else parse_seat(seat))  # fmt: skip
    middles = [middle for _, _, middle, _ in rows if middle is not None]
    assert max(middle[0] for middle in middles) < 320
    assert any(at > 9.5 and middle is not None for at, _, middle, _ in rows)
    assert asleep_after(rows, 14.0) < 2.2
