# SPDX-License-Identifier: Apache-2.0
"""Command line: landmarks on the face in a picture. Results to stdout, errors to stderr."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from host import atomic
from host.backends import BUILD, MODEL, NAMES, ROOT, Backend, open_backend
from host.detect import FaceDetector
from host.draw import draw_landmarks
from host.errors import FAILURES, UserError
from host.pictures import PORTRAIT, read_source
from host.pipeline import Face, StageTimes, find_landmarks


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0, or 1 after one line on stderr."""
    options = _parser().parse_args(arguments)
    try:
        _print(_run(options))
    except FAILURES as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; nothing half-written is left", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="host/run.py", description="Find the face in a picture and draw its 98 landmarks."
    )
    add = parser.add_argument
    add("--source", default=PORTRAIT, help=f"picture file, or {PORTRAIT} (default)")
    add("--backend", default=NAMES[0], help=f"{' or '.join(NAMES)}; default {NAMES[0]}")
    add("--out", type=Path, help="annotated picture; default build/host/face_BACKEND.png")
    add("--json", action="store_true", help="print the result as JSON")
    add("--equalise", action="store_true", help="spread the grey levels of the face first")
    add("--model", type=Path, help=f"QDQ file for cpu; default {MODEL.relative_to(ROOT)}")
    add("--build", type=Path, help=f"build folder for sim; default {BUILD.relative_to(ROOT)}")
    return parser


def _run(options: argparse.Namespace) -> str:
    """Write the annotated picture; return what goes to stdout."""
    times = StageTimes()
    with times.stage("read"):
        image = read_source(options.source)
    with times.stage("open"):
        detector = FaceDetector()
        backend = open_backend(options.backend, options.model, options.build)
    try:
        face = find_landmarks(image, detector, backend, times, options.equalise)
    finally:
        backend.close()
    out = options.out or _default_out(backend.name)
    with times.stage("draw"):
        picture = draw_landmarks(image, face.landmarks, face.box, _caption(backend, times))
        atomic.write_image(out, picture)
    height, width = image.shape[:2]
    result = {
        "format": 1,
        "source": options.source,
        "size": [width, height],
        **describe(face),
        "equalise": options.equalise,
        "backend": backend.name,
        "model": backend.model,
        "details": backend.details,
        "times_ms": dict(times),
        "picture": str(out),
    }
    return json.dumps(result) if options.json else _summary(face, backend, times, out)


def describe(face: Face) -> dict[str, Any]:
    """Return a face for JSON; all numbers in pixels of the picture."""
    return {
        "box": dict(face.box._asdict()),
        "crop": {"left": face.crop.left, "top": face.crop.top, "side": face.crop.side},
        "landmarks": face.landmarks.round(3).tolist(),
    }


def _summary(face: Face, backend: Backend, times: StageTimes, out: Path) -> str:
    box = face.box
    rows = [
        ("face", f"{box.width}x{box.height} pixels at ({box.x}, {box.y})"),
        ("backend", f"{backend.name}, {backend.model}"),
        *((name, f"{value:.1f} ms") for name, value in times.items()),
        *((name, str(value)) for name, value in backend.details.items()),
        ("picture", str(out)),
    ]
    return "\n".join(f"{name:<16}{value}" for name, value in rows)


def _caption(backend: Backend, times: StageTimes) -> str:
    if (latency := backend.details.get("latency_ms")) is None:
        return f"{backend.name}   {times['infer']:.1f} ms"
    return f"{backend.name}   {latency:g} ms at {backend.details['clk_mhz']:g} MHz"


def _default_out(backend: str) -> Path:
    folder = ROOT / "build" / "host"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot make the folder {folder}: {error.strerror}; give a picture file with --out"
        ) from error
    return folder / f"face_{backend}.png"


def _print(text: str) -> None:
    try:
        print(text, flush=True)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing left to flush
        raise UserError(f"cannot write to standard output: {error.strerror}") from error
