# SPDX-License-Identifier: Apache-2.0
"""The stages of the driver monitor, each in a thread, with short queues between them.

    capture -> follow (detect, track, crop, landmarks) -> judge (eyes, measures, state) -> each sink

Live sources lose their oldest frame where a stage is late; recordings wait, so that every frame is
seen and a run can be repeated. The detector has a thread of its own for live sources.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import cv2
import numpy as np

from host.common.errors import FAILURES
from host.monitor.capture import Frame, Paced, Source
from host.monitor.judge import JUDGED_S, Judge, Looker, Observation, unwatched
from host.monitor.notices import Notices
from host.monitor.profile import Profile
from host.monitor.queues import Closed, StageQueue
from host.monitor.smooth import Smoother
from host.monitor.thresholds import Thresholds
from host.monitor.track import Track, Tracker

QUEUE = 2
"""Frames that may wait between two stages."""

TOGETHER = 8
"""Most frames that are handed on together."""

PATIENCE_S = 0.5
"""How long a stopped pipeline lets frames pass that are not judged; then they are forgotten."""

CALL_S, CAPTURE_S = 5.0, 0.4
"""How long it then waits at most for calls that go on: of network and sinks, and of the source."""

STUCK_S, REPEAT_S = 3.0, 1.0
"""A live source of which nothing was judged for so long is told, and again after so long."""

UNJUDGED = "no frame is judged: source, detector, network or judge give no answer"

RECENT = 500
"""Times that are kept of each stage."""


class Stop(Exception):
    """A sink asks for the end, because Esc was pressed for example."""


class Sink(Protocol):
    """Takes observations: a file, a window, a network."""

    @property
    def name(self) -> str:
        """For messages."""

    @property
    def lossy(self) -> bool:
        """True if it may miss frames of a recording too."""

    def write(self, seen: Observation) -> None:
        """Take the next one. Raises Stop to end the run, OSError or UserError when it fails."""

    def close(self) -> None:
        """Finish; files are complete afterwards."""


class Timings:
    """How long stages take and how often they are passed."""

    def __init__(self) -> None:
        self._times: dict[str, deque[float]] = {}
        self._passed: deque[float] = deque(maxlen=RECENT)
        self._lock = threading.Lock()

    def add(self, times_ms: dict[str, float]) -> None:
        """Add the stages of one frame."""
        with self._lock:
            self._passed.append(time.monotonic())
            for name, value in times_ms.items():
                self._times.setdefault(name, deque(maxlen=RECENT)).append(value)

    def medians_ms(self) -> dict[str, float]:
        """Median of the recent times by stage, in ms."""
        with self._lock:
            return {name: float(np.median(times)) for name, times in self._times.items()}

    def fps(self) -> float:
        """Frames a second, over the recent frames."""
        with self._lock:
            if len(self._passed) < 2:
                return 0.0
            span = self._passed[-1] - self._passed[0]
            return (len(self._passed) - 1) / span if span > 0 else 0.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run came to."""

    frames: int
    """Pictures that were judged."""
    faces: int
    """Of these, frames with a face."""
    dropped: int
    """Frames that were captured and not judged."""
    seconds: float
    """Wall time."""
    medians_ms: dict[str, float]
    fps: float
    failures: list[str]
    """One line for each sink that failed."""


class Pipeline:
    """Runs a source through tracker, measures and state machine into sinks."""

    def __init__(
        self,
        source: Source,
        tracker: Tracker,
        sinks: Sequence[Sink],
        thresholds: Thresholds | None = None,
        seconds: float | None = None,
        notices: Notices | None = None,
        profile: Profile | None = None,
        looker: Looker | None = None,
    ) -> None:
        """Put the stages together; ``run`` starts them.

        Args:
            source: where frames come from.
            tracker: finds the face in them.
            sinks: where observations go.
            thresholds: what decides; the defaults without.
            seconds: time of the source after which to end; None for all of it.
            notices: told at once of what fails and of pictures that stay away.
            profile: what is known of the driver who is expected.
            looker: looks at the eyes while the network is at the next frame; else nobody does.
        """
        self._source, self._tracker, self._sinks = source, tracker, list(sinks)
        self._seconds = seconds
        limits = Thresholds() if thresholds is None else thresholds
        self.judge = Judge(limits, profile, looker)
        """What decides; thresholds and calibration may be changed while it runs."""
        self.timings = Timings()
        self.frames = self.faces = 0
        self._frames: StageQueue[Frame] = StageQueue(QUEUE, drop=source.live)
        self._tracks: StageQueue[Sequence[tuple[Frame, Track]]] = StageQueue(
            QUEUE, drop=source.live
        )
        self._inputs: list[StageQueue[Observation]] = [
            StageQueue(QUEUE, drop=source.live or sink.lossy) for sink in self._sinks
        ]
        self._stopping = threading.Event()
        self.notices = Notices() if notices is None else notices
        self._error: Exception | None = None
        self._last: Observation | None = None
        self._judged_s = self._told_s = 0.0

    def queue_lengths(self) -> dict[str, int]:
        """Most items that each queue ever held."""
        lengths = {"frames": self._frames.longest, "tracks": self._tracks.longest}
        for sink, items in zip(self._sinks, self._inputs, strict=True):
            lengths[f"sink {sink.name}"] = items.longest
        return lengths

    def stop(self) -> None:
        """End soon; frames on their way are still judged."""
        self._stopping.set()

    def run(self) -> Outcome:
        """Run to the end of the source, of ``seconds``, or until stopped; closes sinks and source.

        Raises:
            UserError, ToolError: source, detector or backend failed; sinks are closed first.
            KeyboardInterrupt: Ctrl-C; sinks are closed first.
        """
        begin = self._judged_s = time.monotonic()
        own_threads = cv2.getNumThreads()
        cv2.setNumThreads(1)  # its threads for one call would take the cores from the other stages
        stages = [("capture", self._capture), ("follow", self._follow), ("judge", self._judge)]
        stages += [
            (f"sink {sink.name}", partial(self._write, sink, items))
            for sink, items in zip(self._sinks, self._inputs, strict=True)
        ]
        threads = [threading.Thread(target=run, name=name, daemon=True) for name, run in stages]
        judge = threads[2]
        try:
            for thread in threads:
                thread.start()
            # Not join(): a Ctrl-C in it makes Python 3.11 take the thread for ended.
            while any(thread.is_alive() for thread in threads) and not self._stopping.wait(0.05):
                if judge.is_alive():  # at the end sinks may take their time
                    self._tell_if_stuck()
        finally:
            self._finish(threads)
            cv2.setNumThreads(own_threads)
        if self._error is not None:
            raise self._error
        return Outcome(
            frames=self.frames,
            faces=self.faces,
            dropped=self._frames.dropped + self._tracks.dropped,
            seconds=time.monotonic() - begin,
            medians_ms=self.timings.medians_ms(),
            fps=self.timings.fps(),
            failures=self.notices.failures,
        )

    def _tell_if_stuck(self) -> None:
        """Of a live source somebody must hear that a stage gives no answer."""
        now = time.monotonic()
        due_s = self._source.due_s if isinstance(self._source, Paced) else 0.0
        silent_s = now - max(self._judged_s, due_s)
        if not self._source.live or silent_s < STUCK_S:
            if self._told_s:
                self.notices.tell("frames are judged again", mended=UNJUDGED)
            self._told_s = 0.0
        elif now - self._told_s >= REPEAT_S:
            self._told_s = now
            self.notices.fail(UNJUDGED)
            self._tell_unwatched(UNJUDGED, silent_s)

    def _tell_unwatched(self, fault: str, silent_s: float, ended: bool = False) -> None:
        """Hand the sinks an observation that sounds, as nobody watches the driver."""
        seen = unwatched(self._last, self.judge.thresholds, fault, silent_s)
        self._offer(replace(seen, ended=ended))

    def _finish(self, threads: Sequence[threading.Thread]) -> None:
        """Let the threads end; each sink's thread closes it. A stuck source is left alone."""
        self._stopping.set()
        deadline = time.monotonic() + PATIENCE_S
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._frames.abort()
        self._tracks.abort()
        for items in self._inputs:
            items.end()
        capture, *others = threads
        for thread in others:
            thread.join(CALL_S)
        capture.join(CAPTURE_S)
        if not capture.is_alive():
            self._source.close()

    def _guarded(self, sink: Sink, action: object, *arguments: object) -> bool:
        """Call a sink; a failure is noted. False when the sink should not be used further."""
        try:
            action(*arguments)  # type: ignore[operator]
        except Stop:
            self.stop()
        except Exception as error:  # noqa: BLE001 - one sink's failure must not stop the others
            known = isinstance(error, (*FAILURES, OSError))
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            self.notices.fail(f"{sink.name}: {reason if known else repr(error)}")
            if isinstance(error, BrokenPipeError) and len(self._sinks) == 1:
                self.stop()  # stdout was all that anybody heard of this run
            return False
        return True

    @contextmanager
    def _stage(self, before: StageQueue[Any] | None, *after: StageQueue[Any]) -> Iterator[None]:
        """A stage's loop: a failure ends the run; queues behind and before it are told of its end,
        so that no stage waits for one that has failed."""
        try:
            yield
        except Closed:
            if before is not None:
                before.abort()
        except Exception as error:  # noqa: BLE001 - raised again by run()
            self._error = error
            if before is not None:
                before.abort()
        finally:
            for items in after:
                items.end()

    def _capture(self) -> None:
        fault = ""
        with self._stage(None, self._frames):
            while not self._stopping.is_set():
                frame = self._source.read()
                if frame is None or (self._seconds is not None and frame.time_s >= self._seconds):
                    break
                fault = self._tell_fault(fault, frame)
                self._frames.put(frame)

    def _tell_fault(self, before: str, frame: Frame) -> str:
        """Say when pictures stay away and when they are back; return the fault of now."""
        if frame.fault != before:
            self.notices.tell(frame.fault or "the source gives pictures again")
        return frame.fault

    def _follow(self) -> None:
        """Follow the face. While frames wait, they are handed on when the network has the next one.

        So capture and judge work beside the network, which does not hold Python's lock, and not
        beside the cropping, which does: they would wait for one another. Frames of a recording of
        which the judge judges only the first are handed on together.
        """
        done: list[tuple[Frame, Track]] = []

        def hand_on() -> None:
            if done:
                self._tracks.put(tuple(done))
                done.clear()

        def begin() -> None:
            self._frames.tell_room()
            waits = not self._source.live and len(done) < TOGETHER
            if done and not (waits and frame.time_s - done[0][0].time_s < JUDGED_S):
                hand_on()

        with self._stage(self._frames, self._tracks):
            while True:
                if self._frames.empty():
                    hand_on()
                frame = self._frames.get(tell=False)
                try:
                    track = self._track(frame, begin)
                except BaseException:
                    hand_on()
                    raise
                begin()
                done.append((frame, track))

    def _track(self, frame: Frame, meanwhile: Callable[[], None]) -> Track:
        if frame.fault:
            return Track(landmarks=None)
        return self._tracker.update(frame, meanwhile)

    def _judge(self) -> None:
        smoother = Smoother()
        with self._stage(self._tracks):
            while True:
                for frame, track in self._tracks.get():
                    seen = self.judge.update(frame, smoother.update(frame, track))
                    self._last, self._judged_s = seen, time.monotonic()
                    self.frames += not frame.fault
                    self.faces += track.landmarks is not None
                    self.timings.add(seen.times_ms)
                    self._offer(seen)
        if self._error is not None and self._source.live:
            silent_s = time.monotonic() - self._judged_s
            self._tell_unwatched(f"the monitor ends: {self._error}", silent_s, ended=True)
        for items in self._inputs:
            items.end()

    def _offer(self, seen: Observation) -> None:
        """Hand the same observation to all sinks."""
        for items in self._inputs:
            with suppress(Closed):  # this sink has failed; the others go on
                items.put(seen)

    def _write(self, sink: Sink, items: StageQueue[Observation]) -> None:
        try:
            while self._guarded(sink, sink.write, items.get()):
                pass
        except Closed:
            pass
        items.abort()
        self._guarded(sink, sink.close)
