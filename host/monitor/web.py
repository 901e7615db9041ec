# SPDX-License-Identifier: Apache-2.0
"""The dashboard's HTTP: who may ask, what for, and answers to whatever comes."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import SplitResult, parse_qs, urlsplit

from host.common.errors import UserError

PAGE = Path(__file__).with_name("dashboard.html")
LOOPBACK = ("127.0.0.1", "localhost", "::1")

BODY_LIMIT = 4096
"""Longest request body in bytes."""

NUMBER_DIGITS = 15
"""Longest number in a query or a header."""

BOUNDARY = "frame"


class Served(Protocol):
    """What the handler shows; host.monitor.dashboard has it."""

    token: str
    closed: bool

    def about(self) -> dict[str, object]:
        """What does not change."""

    def state(self, since: int) -> dict[str, object]:
        """What is new since then."""

    def change(self, values: dict[str, object]) -> None:
        """Set thresholds."""

    def recalibrate(self) -> None:
        """Learn the driver anew."""

    def save(self) -> None:
        """Write the thresholds."""

    def watch(self, change: int) -> None:
        """Somebody begins or ends to watch."""

    def next_picture(self, last: bytes) -> bytes:
        """Wait for a new JPEG."""


def split_address(address: str) -> tuple[str, int]:
    """Read PORT, HOST:PORT or [HOST]:PORT. UserError if it is none."""
    host, _, port = address.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    whole = bare == host if ":" not in bare else host == f"[{bare}]"
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) < 65536 and whole):
        raise UserError(
            f"the dashboard's address {address!r} is none; give PORT or HOST:PORT, for IPv6 "
            "[HOST]:PORT"
        )
    return bare or LOOPBACK[0], int(port)


def number(text: str | None) -> int | None:
    """The number that a text holds, None if it is none."""
    text = text or ""
    fits = text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS
    return int(text) if fits else None


class Handler(BaseHTTPRequestHandler):
    """Answers requests for a dashboard."""

    dashboard: Served
    timeout = 10

    def do_GET(self) -> None:
        """The page, what it shows, or the stream of pictures."""
        url = self._allowed()
        if url is None:
            return
        if url.path == "/":
            self._send(PAGE.read_bytes(), "text/html; charset=utf-8")
        elif url.path == "/about":
            self._json(self.dashboard.about())
        elif url.path == "/state":
            since = number(parse_qs(url.query).get("since", ["0"])[0])
            self._json(self.dashboard.state(since or 0))
        elif url.path == "/stream":
            self._stream()
        else:
            self._send(b"no such page\n", "text/plain", HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        """Change or save thresholds, calibrate anew; the body is a JSON object."""
        url = self._allowed()
        if url is None:
            return
        actions: dict[str, Callable[[dict[str, object]], None]] = {
            "/thresholds": self.dashboard.change,
            "/recalibrate": lambda _: self.dashboard.recalibrate(),
            "/save": lambda _: self.dashboard.save(),
        }
        length = number(self.headers.get("Content-Length"))
        json_sent = self.headers.get_content_type() == "application/json"
        if url.path not in actions or not json_sent or length is None or length > BODY_LIMIT:
            self._refuse("not understood")
            return
        try:
            values = json.loads(self.rfile.read(length))
            if not isinstance(values, dict):
                raise UserError("no JSON object of thresholds")
            actions[url.path](values)
        except (UserError, ValueError, RecursionError) as error:
            self._refuse(str(error))
            return
        self._json({})

    def _allowed(self) -> SplitResult | None:
        """The address if the token is right, and the browser was not led here by another site."""
        try:
            url = urlsplit(self.path)
            host = urlsplit(f"//{self.headers.get('Host', '')}").hostname
            given = parse_qs(url.query, max_num_fields=10).get("token", [""])[0]
        except ValueError:
            self._refuse("not understood")
            return None
        local = bool(self.dashboard.token) or host in LOOPBACK
        right = hmac.compare_digest(given.encode(errors="replace"), self.dashboard.token.encode())
        if local and right:
            return url
        self._send(b"the token is missing or wrong\n", "text/plain", HTTPStatus.FORBIDDEN)
        return None

    def _refuse(self, text: str) -> None:
        body = f"{text}\n".encode(errors="replace")
        self._send(body, "text/plain; charset=utf-8", HTTPStatus.BAD_REQUEST)

    def _json(self, content: dict[str, Any]) -> None:
        self._send(json.dumps(content).encode(), "application/json")

    def _send(self, body: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Frame-Options", "DENY")  # no other site's page may lie over it
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        """JPEG after JPEG until the watcher goes."""
        self.send_response(HTTPStatus.OK)
        kind = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Frame-Options", "DENY")  # no other site's page may lie over it
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
