# SPDX-License-Identifier: Apache-2.0
"""A report of one run: an HTML page with curves and a list of what happened."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from host.common.atomic import write_text
from host.monitor.judge import STATE_COLOURS, Observation
from host.monitor.state import STATES

MAX_POINTS = 4000
"""Of each curve; a longer run is thinned to every second, fourth ... frame."""

WIDTH, HEIGHT = 900, 120
CURVES: tuple[tuple[str, str, float, float], ...] = (
    ("opening", "Opening of the eyes", 0.0, 1.3),
    ("mar", "Mouth aspect ratio", 0.0, 0.6),
    ("yaw_deg", "Yaw, degrees", -50.0, 50.0),
    ("pitch_deg", "Pitch, degrees", -50.0, 50.0),
)
STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;"
    "color:#222}svg{width:100%;background:#fafafa;border:1px solid #ddd}"
    "td,th{padding:.2rem .8rem;text-align:left}h2{font-size:1rem;margin:1.2rem 0 .3rem}"
)


class SessionReport:
    """A sink that writes its page at the end; its memory does not grow with the run."""

    lossy = False

    def __init__(self, path: Path, facts: Mapping[str, object] | None = None) -> None:
        """facts: of the run, for the page."""
        self.name = str(path)
        self._facts = dict(facts or {})
        self._path = path
        self._points: list[tuple[float, str, tuple[float | None, ...]]] = []
        self._step, self._count = 1, 0
        self._changes: list[tuple[float, str]] = []
        self._last: Observation | None = None

    def write(self, seen: Observation) -> None:
        """Take the numbers of a frame."""
        if self._last is None or seen.state != self._last.state:
            self._changes = [*self._changes[-999:], (seen.measures.time_s, seen.state)]
        self._last = seen
        if self._count % self._step == 0:
            values = tuple(getattr(seen.measures, name) for name, *_ in CURVES)
            self._points.append((seen.measures.time_s, seen.state, values))
            if len(self._points) >= MAX_POINTS:
                self._points, self._step = self._points[::2], self._step * 2
        self._count += 1

    def close(self) -> None:
        """Write the page; none without a frame."""
        if self._last is not None:
            write_text(self._path, self._page(self._last))
            self._last = None

    def _page(self, last: Observation) -> str:
        end = max(last.measures.time_s, 1e-3)
        parts = [
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Session</title>'
            f"<style>{STYLE}</style><h1>Session of {end:.1f} s, {self._count} frames</h1>",
            _table(("event", "count"), [
                (name, str(getattr(last.measures, name)))
                for name in ("blinks", "microsleeps", "yawns", "nods")
            ]),
            _table(("run", ""), [(name, str(value)) for name, value in self._facts.items()]),
            "<h2>States</h2>", _bands(self._changes, end),
            _table(("from", "state"), [(f"{at:.2f} s", name) for at, name in self._changes]),
        ]  # fmt: skip
        for index, (_, title, low, high) in enumerate(CURVES):
            line = [(at, values[index]) for at, _, values in self._points]
            parts += [f"<h2>{title}, {low:g} to {high:g}</h2>", _curve(line, end, low, high)]
        parts += ["<h2>Thresholds at the end</h2>", _table(("name", "value"), [
            (name, str(value)) for name, value in asdict(last.limits).items()
        ])] if last.limits is not None else []  # fmt: skip
        return "\n".join([*parts, "</html>", ""])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def cells(row: Sequence[str], tag: str) -> str:
        return "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in row)

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return f"<table><tr>{cells(head, 'th')}</tr>{body}</table>"


def _svg(height: int, body: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height}" preserveAspectRatio="none">{body}</svg>'


def _bands(changes: Sequence[tuple[float, str]], end: float) -> str:
    """A coloured band of the states over time."""
    ends = [at for at, _ in changes[1:]] + [end]
    shapes = []
    for (begin, state), stop in zip(changes, ends, strict=True):
        blue, green, red = STATE_COLOURS[state]
        x, width = begin / end * WIDTH, (stop - begin) / end * WIDTH
        shapes.append(
            f'<rect x="{x:.1f}" width="{width:.1f}" y="0" height="24" '
            f'fill="rgb({red},{green},{blue})"><title>{html.escape(state)}</title></rect>'
        )
    names = ", ".join(state for state in STATES if state in {name for _, name in changes})
    return _svg(24, "".join(shapes)) + f"<p>{html.escape(names)}</p>"


def _curve(line: Sequence[tuple[float, float | None]], end: float, low: float, high: float) -> str:
    """A curve with gaps where there is no value."""
    scale = HEIGHT / (high - low)
    pieces: list[list[str]] = [[]]
    for at, value in line:
        if value is None:
            pieces.append([])
        else:
            y = (high - min(max(value, low), high)) * scale
            pieces[-1].append(f"{at / end * WIDTH:.1f},{y:.1f}")
    drawn = "".join(
        f'<polyline points="{" ".join(piece)}" fill="none" stroke="#2f74c9" '
        'vector-effect="non-scaling-stroke"/>'
        for piece in pieces
        if piece
    )
    return _svg(HEIGHT, drawn)
