# SPDX-License-Identifier: Apache-2.0
"""Following a face: when the detector is asked, when a face is lost."""

import math
import threading
from dataclasses import replace

import cv2
import numpy as np
import pytest

from host.backends import DEFAULT_MODEL, open_backend
from host.face.detect.choice import open_detector
from host.face.landmarks import inter_ocular
from host.monitor.capture import Frame
from host.monitor.state import WRONG_WAY
from host.monitor.track import MISSES, RECHECK_S, BackgroundSearch, DirectSearch, Tracker, eye_line
from host.monitor.watch import Monitor
from tests.host.drivers import FPS, Backend, Finder, picture


def follow(pictures, backend=None, finder=None):
    tracker = Tracker(backend or Backend(), DirectSearch(finder or Finder()))
    return [tracker.update(Frame(n, n / FPS, image)) for n, image in enumerate(pictures)]


def test_the_detector_is_asked_once_and_then_now_and_then():
    finder, backend = Finder(), Backend()
    tracks = follow([picture()] * 60, backend, finder)
    assert finder.calls == 1 + int(59 / FPS / RECHECK_S)
    assert backend.calls == 60
    assert [track.new for track in tracks] == [True] + [False] * 59
    assert all(track.landmarks.shape == (98, 2) for track in tracks)
    assert set(tracks[0].times_ms) == {"detect", "crop", "landmarks", "track"}


def test_the_crop_follows_the_landmarks():
    first, second = follow([picture()] * 2)[:2]
    low, high = first.landmarks.min(0), first.landmarks.max(0)
    middle = np.array([second.square.left, second.square.top]) + second.square.side / 2
    assert np.abs(middle - (low + high) / 2).max() <= 1
    assert second.square.side == pytest.approx(1.2 * (high - low).max(), abs=1)


@pytest.mark.parametrize("scale", [0.5, 2])
def test_pictures_of_another_size_are_searched_at_once(scale):
    """As a stream that adapts sends them; the face is not where it was in pixels."""
    finder = Finder()
    small = cv2.resize(picture(), None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    tracks = follow([picture()] * 5 + [small] * 5, finder=finder)
    assert all(track.landmarks is not None for track in tracks)
    assert [n for n, track in enumerate(tracks) if track.new] == [0, 5]
    assert finder.calls == 2


def test_an_empty_picture_asks_four_times_a_second():
    finder, backend = Finder(), Backend()
    tracks = follow([picture(None)] * 50, backend, finder)
    assert finder.calls == 8
    assert backend.calls == 0
    assert {track.landmarks is None for track in tracks} == {True}


def test_a_face_that_leaves_is_lost_at_once_and_found_again():
    tracks = follow([picture()] * 10 + [picture(None)] * 10 + [picture(300)] * 10)
    seen = [track.landmarks is not None for track in tracks]
    assert seen[:10] == [True] * 10
    assert not any(seen[10:20])
    assert seen[27:] == [True] * 3
    assert abs(tracks[-1].landmarks[:, 0].mean() - 380) < 30


def test_a_detector_that_disagrees_several_times_wins():
    class Elsewhere(Finder):
        def find(self, image):
            boxes = super().find(image)
            return boxes if self.calls == 1 else []

    finder = Elsewhere()
    frames = round((MISSES * RECHECK_S + 0.5) * FPS)
    tracks = follow([picture()] * frames, finder=finder)
    lost = next(n for n, track in enumerate(tracks) if track.landmarks is None)
    assert lost == round(MISSES * RECHECK_S * FPS)


@pytest.mark.parametrize("fractions", [np.nan, 0.5, 40.0])
def test_landmarks_that_are_no_face_lose_it(fractions):
    backend = Backend()
    backend.fractions = np.full((98, 2), fractions)
    assert follow([picture()] * 3, backend)[0].landmarks is None


def test_of_two_faces_the_first_box_is_taken_and_kept():
    class Two(Finder):
        def find(self, image):
            face = super().find(image)[0]
            other = replace(face, box=face.box._replace(x=face.box.x + 200))
            return [face, other] if self.calls == 1 else [other, face]

    tracks = follow([picture()] * 120, finder=Two())
    assert {round(track.landmarks[:, 0].mean() / 50) for track in tracks} == {
        round(tracks[0].landmarks[:, 0].mean() / 50)
    }


def test_a_search_in_the_background_does_not_wait():
    entered, go_on = threading.Event(), threading.Event()

    class Slow:
        def find(self, image):
            entered.set()
            go_on.wait(5)
            return Finder().find(image)

    search = BackgroundSearch(Slow())
    search.start(picture())
    assert entered.wait(5)
    assert search.result() is None
    search.start(picture(None))  # is not taken: one search at a time
    go_on.set()
    boxes = None
    for _ in range(500):
        boxes = boxes or search.result()
        if boxes:
            break
        threading.Event().wait(0.01)
    search.close()
    assert [tuple(face.box) for face in boxes] == [(200, 100, 160, 160)]
    assert search.result() is None
    assert not search._thread.is_alive()


def test_a_failing_search_in_the_background_is_told():
    class Broken:
        def find(self, image):
            raise ValueError("broken")

    search = BackgroundSearch(Broken())
    search.start(picture())
    with pytest.raises(ValueError, match="broken"):  # noqa: PT012 - the thread takes its time
        for _ in range(500):
            search.result()
            threading.Event().wait(0.01)
    search.close()


# -- tilted faces ----------------------------------------------------------------------------------


@pytest.mark.parametrize("degrees", [-50, 0, 25, 40])
def test_a_tilted_face_is_followed_by_upright_crops(portrait, degrees):
    """Landmarks of the third frame, turned back, are those of the upright face to 4 %."""
    backend = open_backend("cpu", DEFAULT_MODEL, threads=1)

    def watch(picture):
        tracker = Tracker(backend, DirectSearch(open_detector(quick=True)))
        return [tracker.update(Frame(n, n / FPS, picture)) for n in range(3)][-1]

    upright = watch(portrait).landmarks
    turn = cv2.getRotationMatrix2D((228, 128), -degrees, 1.0)
    turned = np.asarray(cv2.warpAffine(portrait, turn, (512, 512)), np.uint8)
    track = watch(turned)
    back = cv2.invertAffineTransform(turn)
    error = np.linalg.norm(track.landmarks @ back[:, :2].T + back[:, 2] - upright, axis=1).mean()
    assert error / float(inter_ocular(upright)) < 0.04
    tilts = [math.atan2(*eye_line(points)[::-1]) for points in (track.landmarks, upright)]
    assert math.degrees(tilts[0] - tilts[1]) == pytest.approx(degrees, abs=3)
    backend.close()


def test_a_camera_that_hangs_upside_down_is_told(portrait):
    monitor = Monitor(Backend(), open_detector(quick=True))
    turned = np.ascontiguousarray(portrait[::-1, ::-1])
    states = [monitor.update(number / 10, turned).state for number in range(60)]
    assert set(states[30:]) == {WRONG_WAY}
