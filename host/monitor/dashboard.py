# SPDX-License-Identifier: Apache-2.0
"""A web page with state, live picture, curves and adjustable thresholds; needs no screen."""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict
from http.server import ThreadingHTTPServer
from pathlib import Path

import cv2

from host.common.errors import UserError
from host.common.json_file import write_json
from host.monitor.explain import MEANINGS, describe
from host.monitor.judge import STATE_COLOURS, Observation
from host.monitor.pipeline import Pipeline
from host.monitor.thresholds import Thresholds
from host.monitor.web import LOOPBACK, Handler, split_address

HISTORY = 1500
"""Points of the curves that are kept."""

PICTURE_WAIT_S = 1.0
JPEG_QUALITY = 75
CURVES = ("opening", "ear_left", "ear_right", "mar", "yaw_deg", "pitch_deg", "roll_deg")
COUNTS = ("perclos", "blinks", "blink_rate", "microsleeps", "yawns", "nods", "calibrated")


class _Server(ThreadingHTTPServer):
    """Answers each request in a thread of its own; a request that breaks is no traceback."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """The visitor has gone, or sent what nobody understands: the others go on."""


class Dashboard:
    """Serves the page; a lossy sink of the pipeline."""

    lossy = True
    name = "dashboard"

    def __init__(
        self, address: str, facts: Mapping[str, object] | None = None, file: Path | None = None
    ) -> None:
        """Listen; serving begins with the first request.

        Args:
            address: PORT on the loopback, or HOST:PORT; port 0 takes a free one. A host beyond
                the loopback makes a token that every request must carry. [HOST]:PORT for IPv6.
            facts: of the run, for the page.
            file: where the page may save thresholds.

        Raises:
            UserError: the address is wrong or taken.
        """
        host, port = split_address(address)
        self.token = "" if host in LOOPBACK else secrets.token_urlsafe(16)
        self._facts, self._file = dict(facts or {}), file
        self._lock = threading.Condition()
        self._picture, self._number = b"", 0
        self._points: deque[dict[str, object]] = deque(maxlen=HISTORY)
        self._last: Observation | None = None
        self._seen_s = time.monotonic()
        self._watchers = 0
        self.closed = False
        self._pipeline: Pipeline | None = None
        self._server = self._listen(address, host, port)
        shown = "127.0.0.1" if host == "localhost" else f"[{host}]" if ":" in host else host
        suffix = f"?token={self.token}" if self.token else ""
        self.url = f"http://{shown}:{self._server.server_address[1]}/{suffix}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()

    def _listen(self, address: str, host: str, port: int) -> _Server:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        server: type[_Server] = type("Server", (_Server,), {"address_family": family})
        handler = type("DashboardHandler", (Handler,), {"dashboard": self})
        try:
            return server((host, port), handler)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UserError(
                f"the dashboard cannot listen at {address}: {reason}; give another port or host"
            ) from error

    def attach(self, pipeline: Pipeline) -> None:
        """Show this pipeline's speed and let the page change its thresholds."""
        self._pipeline = pipeline

    def write(self, seen: Observation) -> None:
        """Take a frame: its numbers always, its picture only if somebody watches."""
        point = {name: getattr(seen.measures, name) for name in CURVES}
        with self._lock:
            self._number += 1
            self._points.append(
                {"n": self._number, "t": seen.measures.time_s, "state": seen.state, **point}
            )
            watched = self._watchers > 0
            self._last, self._seen_s = seen, time.monotonic()
        if watched:
            _, data = cv2.imencode(".jpg", seen.picture, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
            with self._lock:
                self._picture = data.tobytes()
                self._lock.notify_all()

    def close(self) -> None:
        """Stop serving."""
        with self._lock:
            self.closed = True
            self._lock.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(1.0)

    def next_picture(self, last: bytes) -> bytes:
        """Wait for another JPEG than ``last``; empty when none came or at the end."""
        with self._lock:
            self._lock.wait_for(
                lambda: self.closed or self._picture is not last, timeout=PICTURE_WAIT_S
            )
            return b"" if self.closed or self._picture is last else self._picture

    def watch(self, change: int) -> None:
        """Somebody begins (1) or ends (-1) to look at the pictures."""
        with self._lock:
            self._watchers += change

    def about(self) -> dict[str, object]:
        """What does not change: states and thresholds with their meaning, the run."""
        return {
            "states": [
                {"name": name, "colour": f"rgb({red},{green},{blue})", "meaning": MEANINGS[name]}
                for name, (blue, green, red) in STATE_COLOURS.items()
            ],
            "thresholds": [asdict(one) for one in describe()],
            "defaults": asdict(Thresholds()),
            "run": self._facts,
            "file": None if self._file is None else str(self._file),
        }

    def state(self, since: int) -> dict[str, object]:
        """What the page polls: state, points newer than ``since``, counts, speed, thresholds."""
        with self._lock:
            points = [point for point in self._points if int(str(point["n"])) > since]
            last, age_s = self._last, time.monotonic() - self._seen_s
        pipeline = self._pipeline
        return {
            "state": last.state if last else None,
            "alarm": last.alarm if last else False,
            "fault": last.frame.fault if last else "",
            "age_s": age_s,
            "points": points,
            "counts": {name: getattr(last.measures, name) for name in COUNTS} if last else {},
            "fps": pipeline.timings.fps() if pipeline else 0.0,
            "stages_ms": pipeline.timings.medians_ms() if pipeline else {},
            "thresholds": asdict(pipeline.judge.thresholds) if pipeline else {},
            "notices": pipeline.notices.lines[-5:] if pipeline else [],
        }

    def _running(self) -> Pipeline:
        if self._pipeline is None:
            raise UserError("nothing is being watched yet; try again")
        return self._pipeline

    def change(self, values: dict[str, object]) -> None:
        """Set thresholds. UserError if a name or value is not possible."""
        pipeline = self._running()
        before, now = pipeline.judge.thresholds, pipeline.judge.thresholds.changed(**values)
        pipeline.judge.thresholds = now
        if set(now.silent) - set(before.silent):
            pipeline.notices.tell(f"no alarm for: {', '.join(now.silent)} (alarm_states says so)")

    def recalibrate(self) -> None:
        """Learn the driver's eyes and pose anew."""
        self._running().judge.recalibrate()

    def save(self) -> None:
        """Write the thresholds of now into the file that was named at the start."""
        if self._file is None:
            raise UserError("no file to save to; start with --thresholds FILE, or download them")
        write_json(self._file, asdict(self._running().judge.thresholds))
