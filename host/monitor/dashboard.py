# SPDX-License-Identifier: Apache-2.0
"""A web page with the live picture, curves and adjustable thresholds; needs no screen."""

from __future__ import annotations

import hmac
import json
import secrets
import threading
from collections import deque
from dataclasses import asdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import cv2

from host.common.errors import UserError
from host.monitor.pipeline import Observation, Pipeline

PAGE = Path(__file__).with_name("dashboard.html")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
HISTORY = 1500
"""Points of the curves that are kept."""

BODY_LIMIT = 4096
"""Longest request body in bytes."""

PICTURE_WAIT_S = 1.0
JPEG_QUALITY = 75
BOUNDARY = "frame"
CURVES = ("opening", "ear_left", "ear_right", "mar", "yaw_deg", "pitch_deg", "roll_deg")


class Dashboard:
    """Serves the page; a lossy sink of the pipeline."""

    lossy = True
    name = "dashboard"

    def __init__(self, address: str) -> None:
        """Listen; serving begins with the first request.

        Args:
            address: PORT on the loopback, or HOST:PORT; port 0 takes a free one. A host beyond
                the loopback makes a token that every request must carry.

        Raises:
            UserError: the address is wrong or taken.
        """
        host, _, port = address.rpartition(":")
        host = host.strip("[]") or LOOPBACK[0]
        if not port.isdigit() or int(port) > 65535:
            raise UserError(f"the dashboard's address {address!r} is none; give PORT or HOST:PORT")
        self.token = "" if host in LOOPBACK else secrets.token_urlsafe(16)
        self._lock = threading.Condition()
        self._picture, self._number = b"", 0
        self._points: deque[dict[str, object]] = deque(maxlen=HISTORY)
        self._last: Observation | None = None
        self._watchers = 0
        self.closed = False
        self._pipeline: Pipeline | None = None
        try:
            handler = type("Handler", (_Handler,), {"dashboard": self})
            self._server = ThreadingHTTPServer((host, int(port)), handler)
        except OSError as error:
            raise UserError(
                f"the dashboard cannot listen at {address}: {error.strerror or error}; "
                "give another port"
            ) from error
        self._server.daemon_threads = True
        shown = "127.0.0.1" if host in LOOPBACK else host
        suffix = f"?token={self.token}" if self.token else ""
        self.url = f"http://{shown}:{self._server.server_address[1]}/{suffix}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()

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
            self._last = seen
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

    def state(self, since: int) -> dict[str, object]:
        """What the page polls: points newer than ``since``, counts, speed, thresholds."""
        with self._lock:
            points = [point for point in self._points if int(str(point["n"])) > since]
            last = self._last.measures if self._last else None
        pipeline = self._pipeline
        counts = ("perclos", "blinks", "blink_rate", "microsleeps", "yawns", "nods", "calibrated")
        return {
            "points": points,
            "counts": {name: getattr(last, name) for name in counts} if last else {},
            "fps": pipeline.timings.fps() if pipeline else 0.0,
            "stages_ms": pipeline.timings.medians_ms() if pipeline else {},
            "thresholds": asdict(pipeline.thresholds) if pipeline else {},
        }

    def change(self, values: dict[str, object]) -> None:
        """Set thresholds. UserError if a name or value is not possible."""
        if self._pipeline is None:
            raise UserError("nothing is being watched yet; try again")
        self._pipeline.thresholds = self._pipeline.thresholds.changed(**values)


class _Handler(BaseHTTPRequestHandler):
    """Answers requests for a dashboard."""

    dashboard: Dashboard
    timeout = 10

    def do_GET(self) -> None:
        """The page, the state, or the stream of pictures."""
        url = urlsplit(self.path)
        if not self._allowed(url.query):
            return
        if url.path == "/":
            self._send(PAGE.read_bytes(), "text/html; charset=utf-8")
        elif url.path == "/state":
            since = parse_qs(url.query).get("since", ["0"])[0]
            state = self.dashboard.state(int(since) if since.isdigit() else 0)
            self._send(json.dumps(state).encode(), "application/json")
        elif url.path == "/stream":
            self._stream()
        else:
            self._send(b"no such page\n", "text/plain", HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        """Change thresholds: a JSON object of names and values."""
        url = urlsplit(self.path)
        if not self._allowed(url.query):
            return
        length = self.headers.get("Content-Length", "")
        json_sent = self.headers.get_content_type() == "application/json"
        fits = length.isdigit() and int(length) <= BODY_LIMIT
        if url.path != "/thresholds" or not json_sent or not fits:
            self._send(b"not understood\n", "text/plain", HTTPStatus.BAD_REQUEST)
            return
        try:
            values = json.loads(self.rfile.read(int(length)))
            if not isinstance(values, dict):
                raise UserError("no JSON object of thresholds")
            self.dashboard.change(values)
        except (UserError, ValueError) as error:
            self._send(f"{error}\n".encode(), "text/plain", HTTPStatus.BAD_REQUEST)
            return
        self._send(b"{}", "application/json")

    def _allowed(self, query: str) -> bool:
        """Check the token, and that the browser was not led here by another site."""
        given = parse_qs(query).get("token", [""])[0]
        host = urlsplit(f"//{self.headers.get('Host', '')}").hostname
        local = bool(self.dashboard.token) or host in LOOPBACK
        if local and hmac.compare_digest(given.encode(), self.dashboard.token.encode()):
            return True
        self._send(b"the token is missing or wrong\n", "text/plain", HTTPStatus.FORBIDDEN)
        return False

    def _send(self, body: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        """JPEG after JPEG until the watcher goes."""
        self.send_response(HTTPStatus.OK)
        kind = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.dashboard.watch(1)
        last = b""
        try:
            while not self.dashboard.closed:
                picture = self.dashboard.next_picture(last)
                if picture:
                    last = picture
                    head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\n"
                    head += f"Content-Length: {len(picture)}\r\n\r\n"
                    self.wfile.write(head.encode() + picture + b"\r\n")
        except OSError:
            return  # the watcher has gone
        finally:
            self.dashboard.watch(-1)

    def log_message(self, format: str, *arguments: object) -> None:
        """Requests are not logged."""
