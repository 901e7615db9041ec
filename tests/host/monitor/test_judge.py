# SPDX-License-Identifier: Apache-2.0
"""How often the judge looks at the eyes."""

import numpy as np
import pytest

from host.face.eyes import Look
from host.monitor.capture import Frame
from host.monitor.judge import Judge
from host.monitor.thresholds import Thresholds
from host.monitor.track import Track
from tests.host.drivers import face

IMAGE = np.zeros((480, 640, 3), np.uint8)


@pytest.fixture
def run():
    """Function that judges tracks at a rate: the looks told, and how often somebody looked."""

    def judge(tracks, fps):
        looked = []

        def look(image, landmarks):
            looked.append(len(looked) / 100)
            return Look((1.0, 1.0), (looked[-1], looked[-1]))

        judge = Judge(Thresholds(), looker=look)
        seen = [judge.update(Frame(number, number / fps, IMAGE), track)
                for number, track in enumerate(tracks)]  # fmt: skip
        return [one.look for one in seen], len(looked)

    return judge


@pytest.mark.parametrize("fps", [15, 30, 60])
def test_every_frame_of_a_camera_is_looked_at(run, fps):
    looks, count = run([Track(landmarks=face())] * fps, fps)
    assert count == fps
    assert len({look.open for look in looks}) == fps


@pytest.mark.parametrize(("fps", "most"), [(120, 60), (240, 60)])
def test_a_look_counts_for_the_frames_that_follow_at_once(run, fps, most):
    looks, count = run([Track(landmarks=face())] * fps, fps)
    assert count == most
    assert None not in looks


def test_a_new_face_is_looked_at_at_once_and_none_leaves_no_look(run):
    face_there = Track(landmarks=face())
    tracks = [face_there, face_there, Track(landmarks=None), face_there, face_there,
              Track(landmarks=face(), new=True)]  # fmt: skip
    looks, count = run(tracks, 240)
    assert count == 3
    assert [None if look is None else look.open[0] for look in looks] == [
        0.0, 0.0, None, 0.01, 0.01, 0.02,
    ]  # fmt: skip
