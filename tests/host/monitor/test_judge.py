# SPDX-License-Identifier: Apache-2.0
"""How often the judge judges."""

from dataclasses import replace

import numpy as np
import pytest

from host.face.eyes import Look
from host.monitor.capture import Frame
from host.monitor.judge import Judge
from host.monitor.thresholds import Thresholds
from host.monitor.track import Track
from tests.host.drivers import face

IMAGE = np.zeros((480, 640, 3), np.uint8)
THERE, NOBODY = Track(landmarks=face()), Track(landmarks=None)
ANOTHER = Track(landmarks=face(), new=True)


@pytest.fixture
def looked():
    """Numbers of the frames whose eyes were looked at."""
    return []


@pytest.fixture
def judge(looked):
    """A judge who is told that the eyes are more and more open."""

    def look(image, landmarks):
        looked.append(len(looked))
        return Look((1.0, 1.0), (len(looked) / 100, len(looked) / 100))

    return Judge(Thresholds(), looker=look)


def run(judge, tracks, fps):
    return [
        judge.update(Frame(number, number / fps, IMAGE), track)
        for number, track in enumerate(tracks)
    ]


@pytest.mark.parametrize("fps", [15, 30, 60])
def test_every_frame_of_a_camera_is_judged(judge, looked, fps):
    seen = run(judge, [THERE] * fps, fps)
    assert len(looked) == fps
    assert len({one.look.open for one in seen}) == fps


@pytest.mark.parametrize(("fps", "times"), [(120, 2), (240, 4), (500, 8)])
def test_frames_that_follow_at_once_are_passed_on_with_what_is_known(judge, looked, fps, times):
    seen = run(judge, [THERE] * fps, fps)
    assert len(looked) == -(-fps // times)
    for number, one in enumerate(seen):
        judged = seen[number - number % times]
        assert one.frame.number == number
        assert one.measures == replace(judged.measures, time_s=number / fps)
        assert (one.state, one.alarm, one.look) == (judged.state, judged.alarm, judged.look)
        assert ("measures" in one.times_ms) == (one is judged)


def test_whatever_is_new_is_judged_at_once(judge, looked):
    """A face that comes, goes or is another one."""
    seen = run(judge, [THERE, THERE, NOBODY, NOBODY, THERE, THERE, ANOTHER], 240)
    assert ["measures" in one.times_ms for one in seen] == [
        True, False, True, True, True, False, True,
    ]  # fmt: skip
    assert [one.look is None for one in seen] == [False, False, True, True, False, False, False]
    assert len(looked) == 3


@pytest.mark.parametrize("change", ["thresholds", "recalibrate"])
def test_what_the_user_changes_holds_at_once(judge, change):
    first, second, third = (Frame(number, number / 240, IMAGE) for number in range(3))
    judge.update(first, THERE)
    assert "measures" not in judge.update(second, THERE).times_ms
    limits = replace(Thresholds(), closed_below=0.3)
    if change == "thresholds":
        judge.thresholds = limits
    else:
        judge.recalibrate()
    after = judge.update(third, THERE)
    assert "measures" in after.times_ms
    assert change == "recalibrate" or after.limits is limits


def test_sleep_is_told_as_early_at_240_frames_per_second():
    """Nobody looks at the eyes; the landmarks' lids close after six seconds."""
    judge = Judge(Thresholds())
    fps = 240
    awake, asleep = (Track(landmarks=face(eyes=ratio)) for ratio in (0.3, 0.05))
    tracks = [awake] * 6 * fps + [asleep] * 3 * fps
    seen = run(judge, tracks, fps)
    told_s = next(one.measures.time_s for one in seen if one.state == "asleep")
    assert told_s - 6 == pytest.approx(Thresholds().asleep_s, abs=0.02)
