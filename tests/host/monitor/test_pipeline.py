# SPDX-License-Identifier: Apache-2.0
"""The stages together: order, bounds, slow and failing parts, and how a run ends."""

import errno
import threading
import time

import cv2
import pytest

from host.common.errors import ToolError, UserError
from host.face.eyes import Look
from host.monitor.capture import Paced
from host.monitor.notices import Notices
from host.monitor.pipeline import QUEUE, UNJUDGED, Pipeline, Stop
from host.monitor.queues import Closed, StageQueue
from host.monitor.thresholds import Thresholds
from host.monitor.track import DirectSearch, Tracker
from tests.host.drivers import Backend, Finder, Sink, Source, picture

STILL = picture()


def build(source, sinks, backend=None, **options):
    tracker = Tracker(backend or Backend(), DirectSearch(Finder()))
    return Pipeline(source, tracker, sinks, **options)


@pytest.mark.parametrize("fps", [30, 240, 1e9])
def test_a_recording_is_seen_whole_and_in_order(fps):
    """Also where frames are judged, and handed on, together, or hardly differ in time."""
    sink, source = Sink(), Source(lambda _: STILL, 60)
    source.fps = fps
    outcome = build(source, [sink]).run()
    assert [seen.frame.number for seen in sink.seen] == list(range(60))
    assert (outcome.frames, outcome.faces, outcome.dropped, outcome.failures) == (60, 60, 0, [])
    assert sink.closed
    assert source.closed
    assert set(outcome.medians_ms) == {"detect", "crop", "landmarks", "track", "measures"}


def test_eyes_are_looked_at_beside_the_network_where_there_is_a_face():
    told, threads = Look((0.9, 0.2), (0.7, 0.1)), set()

    def look(image, points):
        assert image is STILL
        assert points.shape == (98, 2)
        threads.add(threading.current_thread().name)
        return told

    sink = Sink()
    empty = picture(left=None)
    source = Source(lambda number: STILL if number < 5 else empty, 8)
    outcome = build(source, [sink], looker=look).run()
    assert [seen.look for seen in sink.seen] == [told] * 5 + [None] * 3
    assert "eyes" in outcome.medians_ms
    assert threads == {"judge"}


def test_a_frame_is_handed_on_as_soon_as_the_network_has_the_next_one_or_none_waits():
    """The network of frame n + 1 runs until frame n is judged; a live frame is not held back."""
    judged = [threading.Event() for _ in range(6)]

    class Waits(Backend):
        def infer(self, images, meanwhile=None):
            found = super().infer(images, meanwhile)
            assert self.calls < 2 or judged[self.calls - 2].wait(5)
            return found

    class Tells(Sink):
        def write(self, seen):
            judged[seen.frame.number].set()

    build(Source(lambda _: STILL, 6), [Tells()], Waits()).run()
    assert all(one.is_set() for one in judged)

    def draw(number):  # the next frame comes only after the last one was judged
        assert number == 0 or judged[number - 1].wait(5)
        return STILL

    for one in judged:
        one.clear()
    build(Source(draw, 6, live=True), [Tells()]).run()
    assert all(one.is_set() for one in judged)


def test_opencvs_threads_are_as_before_after_a_run():
    before, seen = cv2.getNumThreads(), []
    cv2.setNumThreads(2)
    try:
        build(Source(lambda _: (seen.append(cv2.getNumThreads()), STILL)[1], 2), [Sink()]).run()
        assert (seen, cv2.getNumThreads()) == ([1, 1], 2)
    finally:
        cv2.setNumThreads(before)


def test_seconds_end_a_run():
    sink = Sink()
    build(Source(lambda _: STILL, 10**6), [sink], seconds=1.0).run()
    assert [seen.frame.number for seen in sink.seen] == list(range(25))


def test_a_slow_sink_bounds_the_queues_and_loses_nothing_of_a_recording():
    class Slow(Sink):
        def write(self, seen):
            time.sleep(0.005)
            super().write(seen)

    sink = Slow()
    pipeline = build(Source(lambda _: STILL, 60), [sink])
    pipeline.run()
    assert len(sink.seen) == 60
    assert max(pipeline.queue_lengths().values()) <= QUEUE


def test_a_slow_sink_of_a_live_source_loses_frames_and_the_others_do_not_wait():
    class Blocked(Sink):
        lossy, name = True, "blocked"

        def __init__(self):
            super().__init__()
            self.go_on = threading.Event()

        def write(self, seen):
            self.go_on.wait(5)
            super().write(seen)

    def draw(number):
        time.sleep(0.02)  # a busy machine must keep up
        if number == 59:
            blocked.go_on.set()
        return STILL

    blocked, quick = Blocked(), Sink()
    quick.name = "quick"
    pipeline = build(Source(draw, 60, live=True), [blocked, quick])
    pipeline.run()
    assert len(blocked.seen) <= 1 + QUEUE + 3
    assert len(quick.seen) > 3 * len(blocked.seen)
    assert max(pipeline.queue_lengths().values()) <= QUEUE


def test_a_failing_sink_is_told_and_the_others_go_on():
    class Full(Sink):
        name = "video.mp4"

        def write(self, seen):
            raise OSError(errno.ENOSPC, "No space left on device")

    class Wrong(Sink):
        name = "wrong"

        def write(self, seen):
            raise ValueError("no such thing")

    full, wrong, good = Full(), Wrong(), Sink()
    outcome = build(Source(lambda _: STILL, 60), [full, wrong, good]).run()
    assert len(good.seen) == 60
    assert sorted(outcome.failures) == [
        "video.mp4: No space left on device",
        "wrong: ValueError('no such thing')",
    ]
    assert full.closed
    assert wrong.closed


def test_a_failing_backend_ends_the_run_with_its_error_and_closed_sinks(tmp_path):
    backend, sink, source = Backend(fail_at=20), Sink(), Source(lambda _: STILL, 10**6)
    backend.failure = ToolError(["simulator"], tmp_path / "log", "exit code 1: deadlock")
    with pytest.raises(ToolError, match="simulator: exit code 1: deadlock"):
        build(source, [sink], backend).run()
    assert len(sink.seen) <= 19
    assert sink.closed
    assert source.closed


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.timeout(20)
def test_a_failing_judge_ends_the_run_with_its_error(live):
    """Though all stages before it have more to do."""

    def look(image, points):
        raise UserError("the eye test is damaged")

    def draw(number):
        if live:
            time.sleep(0.01)
        return STILL

    sink = Sink()
    with pytest.raises(UserError, match="the eye test is damaged"):
        build(Source(draw, 10_000, live), [sink], looker=look).run()
    assert sink.closed


def test_frames_without_a_picture_are_not_counted():
    class Silent(Source):
        def read(self):
            frame = super().read()
            return frame and frame._replace(fault="nothing comes" if frame.number > 2 else "")

    sink = Sink()
    assert build(Silent(lambda _: STILL, 8), [sink]).run().frames == 3
    assert len(sink.seen) == 8


def test_a_gap_of_a_paced_recording_is_no_stuck_stage(monkeypatch):
    monkeypatch.setattr("host.monitor.pipeline.STUCK_S", 0.2)

    class Gap(Source):
        def read(self):
            frame = super().read()
            return frame and frame._replace(time_s=0.02 * frame.number + (frame.number > 4))

    notices = Notices()
    outcome = build(Paced(Gap(lambda _: STILL, 8)), [Sink()], notices=notices).run()
    assert (outcome.frames, outcome.failures) == (8, [])


def test_a_source_that_vanishes_ends_the_run_after_its_last_frame():
    def draw(number):
        if number == 30:
            raise UserError("the source 0 gave no frame for 5 s")
        return STILL

    sink = Sink()
    with pytest.raises(UserError, match="the source 0 gave no frame"):
        build(Source(draw, 10**6), [sink]).run()
    assert len(sink.seen) == 30
    assert sink.closed


def test_escape_ends_within_a_second():
    class Window(Sink):
        def write(self, seen):
            super().write(seen)
            if len(self.seen) == 5:
                self.pressed = time.monotonic()
                raise Stop

    window = Window()
    build(Source(lambda _: STILL, 10**6), [window]).run()
    assert time.monotonic() - window.pressed < 1
    assert window.closed


def test_a_stop_does_not_wait_for_a_stuck_source():
    stuck = threading.Event()

    def draw(number):
        if number == 3:
            stuck.wait(20)
        return STILL

    pipeline = build(Source(draw, 10, live=True), [Sink()])
    threading.Timer(0.3, pipeline.stop).start()
    begin = time.monotonic()
    pipeline.run()
    assert time.monotonic() - begin < 4
    stuck.set()


@pytest.mark.parametrize("first", [0, 5])
def test_a_network_that_hangs_sounds_and_is_told_when_it_answers_again(monkeypatch, first):
    """At the first frame, or after some."""
    monkeypatch.setattr("host.monitor.pipeline.STUCK_S", 0.3)
    monkeypatch.setattr("host.monitor.pipeline.REPEAT_S", 0.1)
    go_on = threading.Event()

    class Hangs(Backend):
        def infer(self, images, meanwhile=None):
            assert self.calls != first or go_on.wait(10)
            return super().infer(images, meanwhile)

    class Hears(Sink):
        def write(self, seen):
            super().write(seen)
            if seen.frame.fault:
                go_on.set()
            elif any("note: frames are judged again" in line for line in pipeline.notices.lines):
                pipeline.stop()

    def draw(_):
        time.sleep(0.02)
        return STILL

    sink = Hears()
    pipeline = build(Source(draw, 10**6, live=True), [sink], Hangs())
    outcome = pipeline.run()
    told = next(seen for seen in sink.seen if seen.frame.fault)
    assert (told.state, told.alarm, told.ended) == ("no picture", True, False)
    assert told.frame.fault == UNJUDGED
    assert told.measures.no_picture_s >= 0.3
    assert outcome.failures == [UNJUDGED]


def test_a_sink_may_take_its_time_at_the_end_of_a_live_source(monkeypatch):
    monkeypatch.setattr("host.monitor.pipeline.STUCK_S", 0.2)

    class Slow(Sink):
        def close(self):
            time.sleep(0.6)
            super().close()

    sink = Slow()
    assert build(Source(lambda _: STILL, 3, live=True), [sink]).run().failures == []
    assert not any(seen.frame.fault for seen in sink.seen)


def test_a_recording_may_take_its_time(monkeypatch):
    monkeypatch.setattr("host.monitor.pipeline.STUCK_S", 0.05)

    class Slow(Backend):
        def infer(self, images, meanwhile=None):
            time.sleep(0.1)
            return super().infer(images, meanwhile)

    sink = Sink()
    assert build(Source(lambda _: STILL, 5), [sink], Slow()).run().failures == []
    assert len(sink.seen) == 5


@pytest.mark.parametrize("live", [True, False])
def test_a_failure_that_ends_watching_sounds(live):
    """Of a recording nobody is watched any more either way."""
    backend, sink = Backend(fail_at=3), Sink()
    backend.failure = UserError("the accelerator stands still")
    with pytest.raises(UserError, match="stands still"):
        build(Source(lambda _: STILL, 10**6, live=live), [sink], backend).run()
    last = sink.seen[-1] if sink.seen else None
    if live:
        assert (last.state, last.alarm, last.ended) == ("no picture", True, True)
        assert last.frame.fault == "the monitor ends: the accelerator stands still"
    else:
        assert last is None or not last.ended


def test_no_thread_stays_behind():
    before = set(threading.enumerate())
    for _ in range(5):
        build(Source(lambda _: STILL, 10), [Sink(), Sink()]).run()
    assert set(threading.enumerate()) <= before


def test_thresholds_change_in_the_middle_of_a_run():
    class Changer(Sink):
        def write(self, seen):
            super().write(seen)
            if seen.frame.number == 10:
                pipeline.judge.thresholds = Thresholds().changed(no_face_s=0.1)

    changer = Changer()
    pipeline = build(Source(lambda _: picture(None), 45), [changer])
    pipeline.run()
    assert changer.seen[-1].state == "no face"  # after 1.8 s, where the default allows 2 s
    assert pipeline.judge.thresholds.no_face_s == 0.1


def test_the_annotated_picture_shows_state_and_points():
    sink = Sink()
    build(Source(lambda _: STILL, 2), [sink]).run()
    seen = sink.seen[-1]
    assert seen.picture.shape == (480 + 32, 640, 3)
    assert (seen.picture[:480] != STILL).any()
    assert seen.picture is seen.picture


# -- queue -----------------------------------------------------------------------------------------


def test_a_dropping_queue_keeps_the_newest():
    queue = StageQueue(2, drop=True)
    for item in range(5):
        queue.put(item)
    assert (queue.dropped, queue.longest) == (3, 2)
    assert [queue.get(), queue.get()] == [3, 4]


def test_who_takes_quietly_wakes_the_other_end_later():
    queue, done = StageQueue(1, drop=False), threading.Event()
    queue.put(1)

    def put():
        queue.put(2)
        done.set()

    thread = threading.Thread(target=put, daemon=True)
    thread.start()
    while not queue._changed._waiters:  # until it waits for room
        time.sleep(0.001)
    assert queue.get(tell=False) == 1
    assert not done.wait(0.05)
    queue.tell_room()
    assert done.wait(5)
    thread.join()
    assert queue.get() == 2


def test_a_waiting_queue_waits_for_room():
    queue, done = StageQueue(1, drop=False), threading.Event()
    queue.put(1)
    thread = threading.Thread(target=lambda: (queue.put(2), done.set()))
    thread.start()
    assert not done.wait(0.05)
    assert queue.get() == 1
    assert done.wait(5)
    thread.join()
    assert queue.get() == 2
    assert queue.dropped == 0


def test_an_ended_queue_gives_what_it_has_and_an_aborted_one_nothing():
    queue = StageQueue(2, drop=False)
    queue.put(1)
    queue.end()
    assert queue.get() == 1
    with pytest.raises(Closed):
        queue.get()
    queue = StageQueue(1, drop=False)
    queue.put(1)
    queue.abort()
    for action in (queue.get, lambda: queue.put(2)):
        with pytest.raises(Closed):
            action()
