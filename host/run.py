# SPDX-License-Identifier: Apache-2.0
"""Landmarks of a picture, or a driver watched: ``python host/run.py --source IMAGE|CAMERA|...``."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

if not __package__:  # started as a script: what is imported is the package, not its folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np

from host.backends import (
    BACKENDS,
    DEFAULT_BUILD,
    DEFAULT_MODEL,
    DEFAULT_OVERLAY,
    Backend,
    open_backend,
    open_monitor,
)
from host.backends.base import Accelerator
from host.common.arrays import Image
from host.common.atomic import check_image_name, write_image, write_text
from host.common.ending import ended_by_signals, flush_stdout, leave
from host.common.errors import FAILURES, UserError
from host.common.paths import WORK, relative
from host.common.tasks import LANDMARKS
from host.common.timing import timed
from host.face.crop import square_around_landmarks
from host.face.detect.choice import DEFAULT_DETECTOR, DETECTORS, open_detector
from host.face.detect.faces import no_face
from host.face.draw import side_by_side
from host.face.image import ASTRONAUT, load_source
from host.face.landmarker import FaceLandmarks, Landmarker
from host.monitor.cli import (
    add_options,
    check_outputs,
    monitor,
    refuse_moving,
    source_options,
)
from host.monitor.sinks.lines import clock
from host.monitor.sources import is_picture
from host.outputs import FORMAT, Decoded, decode_picture

STDOUT = Path("-")
"""``--json`` without a file."""

ENDED = {True: "nothing was written", False: "the files are complete up to here"}
"""What Ctrl-C leaves behind of a picture and of a recording."""

DEFAULT_OUT = WORK / "build" / "face.png"


@dataclass(frozen=True, kw_only=True)
class Result:
    """Landmarks of the faces in a picture and how they came about."""

    source: str
    picture: Image
    """(H, W, 3) BGR."""
    faces: list[FaceLandmarks]
    """At least one; the first is the one to take."""
    backend: str
    model: str
    detector: str
    details: Mapping[str, object]
    """What the backend told besides."""
    times_ms: dict[str, float]
    """Wall time by stage: load, detect, crop, infer."""

    def as_json(self) -> dict[str, object]:
        """Return the result in the form that docs/host.md describes."""
        height, width = self.picture.shape[:2]
        faces = [face_json(face) for face in self.faces]
        return {
            "format": FORMAT,
            "source": self.source,
            "picture": {"width": width, "height": height},
            **faces[0],
            "times_ms": {name: round(value, 3) for name, value in self.times_ms.items()},
            "backend": self.backend,
            "model": self.model,
            "details": dict(self.details),
            "detector": self.detector,
            "clock": clock(time.time()),
            "faces": faces,
        }

    def summary(self) -> str:
        """Return one line for people."""
        times = ", ".join(f"{name} {value:.1f} ms" for name, value in self.times_ms.items())
        first, count = self.faces[0], len(self.faces)
        seen = f"{len(first.landmarks)} landmarks" + (f" of each of {count} faces" * (count > 1))
        turned = f", turned by {first.roll_deg:.0f} degrees" * (first.roll_deg != 0)
        return f"{seen}{turned}, backend {self.backend} ({times})"


def face_json(face: FaceLandmarks) -> dict[str, object]:
    """Return a face in the form that docs/host.md describes."""
    return {
        "box": list(face.box),
        "score": round(face.score, 4),
        "roll_deg": round(face.roll_deg, 2),
        "crop": {"left": face.crop.left, "top": face.crop.top, "side": face.crop.side},
        "landmarks": face.landmarks.round(3).tolist(),
    }


def find_landmarks(
    source: str,
    backend: Backend,
    equalise: bool = False,
    detector: str = DEFAULT_DETECTOR,
    rotate: int = 0,
) -> Result:
    """Run the whole chain on one picture: load, detect, crop, infer.

    Args:
        source: path or HTTP address of a picture, or ASTRONAUT.
        backend: an open backend.
        equalise: histogram equalisation of the crop.
        detector: name of the detector.
        rotate: degrees clockwise by which the picture is turned first: 0, 90, 180 or 270.

    Raises:
        UserError: the picture cannot be read or shows no face.
        ToolError: an external program of the backend fails.
    """
    times: dict[str, float] = {}
    landmarker = Landmarker(backend, open_detector(detector), equalise)
    with timed(times, "load"):
        picture = load_source(source)
        picture = np.rot90(picture, -rotate // 90).copy() if rotate else picture
    faces = landmarker.find(picture, times)
    if not faces:
        raise UserError(no_face(picture))
    return Result(
        source=source, picture=picture, faces=faces, backend=backend.name, model=backend.model,
        detector=detector, details=backend.details, times_ms=times,
    )  # fmt: skip


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; exits with 2 on options that do not exist."""
    parser = argparse.ArgumentParser(
        description="Find a face and its 98 landmarks in a picture, or watch a driver; with the "
        "build of another network, what that gives for the whole picture.",
    )
    add = parser.add_argument
    add("--source", default=ASTRONAUT, metavar="SOURCE",
        help=f"picture, '{ASTRONAUT}' (default, scikit-image's portrait), video, folder of "
        "pictures, camera number, /dev/videoN, GStreamer pipeline, rtsp:// or http:// address, "
        "'synthetic' or 'synthetic-normal' (drawn drivers)")  # fmt: skip
    add("--backend", default="cpu", metavar="NAME", help=f"{', '.join(BACKENDS)} (default cpu)")
    add("--json", type=Path, nargs="?", const=STDOUT, metavar="FILE",
        help="JSON to FILE or stdout: one result, or a line for each frame; a picture is then "
        "drawn only with --out")  # fmt: skip
    add("--out", type=Path, metavar="FILE",
        help=f"annotated picture (default {relative(DEFAULT_OUT)}) or video")  # fmt: skip
    add("--rotate", type=int, default=0, metavar="DEGREES",
        help="turn pictures clockwise: 0, 90, 180 or 270")  # fmt: skip
    add("--detector", default=DEFAULT_DETECTOR, metavar="NAME",
        help=f"{' or '.join(DETECTORS)} (default {DEFAULT_DETECTOR})")  # fmt: skip
    add("--equalise", action="store_true", help="histogram equalisation of the crop")
    add("--model", type=Path, metavar="FILE",
        help=f"ONNX file for cpu and gpu (default {relative(DEFAULT_MODEL)})")  # fmt: skip
    add(
        "--build",
        type=Path,
        metavar="DIR",
        help=f"folder for sim and csim (default {relative(DEFAULT_BUILD)}) and for fpga "
        f"(default {relative(DEFAULT_OVERLAY)})",
    )
    add("--threads", type=int, default=0, metavar="N", help="of cpu (default: as measured)")
    add_options(parser)
    return parser.parse_args(arguments)


def run(options: argparse.Namespace) -> None:
    """Do what the command line asks for; results go to stdout."""
    if is_picture(options.source):
        still(options)
    else:
        backend = open_monitor(options.backend, options.model, options.build, options.threads)
        try:
            monitor(options, backend)
        finally:
            backend.close()


def still(options: argparse.Namespace) -> None:
    """Landmarks of one picture, or what else the network of a build gives."""
    refuse_moving(options)
    check_outputs(options, at_end=("json", "out"))
    if options.out is not None:
        check_image_name(options.out)
    rotate = source_options(options).rotate
    backend = open_backend(options.backend, options.model, options.build, options.threads)
    result: Result | Decoded
    try:
        if isinstance(backend, Accelerator) and backend.settings.task != LANDMARKS:
            refuse_drawing(options, backend.settings.task)
            result = decode_picture(options.source, backend, rotate)
        else:
            result = find_landmarks(
                options.source, backend, options.equalise, options.detector, rotate
            )
    finally:
        backend.close()
    out = write_drawing(options, result) if isinstance(result, Result) else None
    if options.json not in (None, STDOUT):
        write_text(options.json, json.dumps(result.as_json()) + "\n")
    if options.json == STDOUT:
        print(json.dumps(result.as_json()))
    else:
        written = out or options.json
        print(result.summary() + (f" -> {written}" if written else ""))


def refuse_drawing(options: argparse.Namespace, task: str) -> None:
    """Raise UserError where a picture is asked for that only landmarks have."""
    if options.out is not None:
        raise UserError(f"--out {options.out} draws landmarks, the build gives {task}; use --json")


def write_drawing(options: argparse.Namespace, result: Result) -> Path | None:
    """Write the picture with its landmarks where it is asked for; its path."""
    out: Path | None = options.out
    if out is None and options.json is None:
        out = DEFAULT_OUT
        out.parent.mkdir(exist_ok=True)
    if out is not None:
        write_image(out, draw(result))
    return out


def draw(result: Result) -> Image:
    """The picture with all faces and, beside it, the first one enlarged."""
    first, *others = result.faces
    return side_by_side(
        result.picture, first.landmarks, square_around_landmarks(first.landmarks),
        first.box if first.roll_deg == 0 else None,
        f"{result.backend}: {result.times_ms['infer']:.1f} ms",
        [face.landmarks for face in others],
    )  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 on success, 1 after a failure told in one line on stderr."""
    options = parse_arguments(arguments)
    try:
        with ended_by_signals():
            run(options)
            flush_stdout()
    except FAILURES as error:
        return _fail(str(error))
    except BrokenPipeError:
        return _fail("stdout was closed before all was written to it")
    except OSError as error:
        return _fail(f"{error.filename or 'output'}: {error.strerror or error}")
    except KeyboardInterrupt:
        return _fail("interrupted; " + ENDED[is_picture(options.source)])
    return 0


def _fail(text: str) -> int:
    print(f"error: {' '.join(text.split())}", file=sys.stderr)
    return 1


def command() -> None:
    """Run the command as the process that it is."""
    leave(main())


if __name__ == "__main__":
    command()
