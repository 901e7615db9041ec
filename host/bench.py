# SPDX-License-Identifier: Apache-2.0
"""Speed, latency, power and accuracy on this machine: ``python host/bench.py --backend cpu``."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

if not __package__:  # started as a script: what is imported is the package, not its folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np

from host import power
from host.backends import BACKENDS, Backend, open_monitor
from host.common.arrays import Images
from host.common.errors import FAILURES, UserError
from host.common.json_file import write_json
from host.common.provenance import provenance
from host.drawn.script import FPS, NORMAL, draw_frame, head_at
from host.face import metrics
from host.face.crop import crop_face
from host.face.detect.choice import DEFAULT_DETECTOR, DETECTORS, open_detector
from host.face.detect.faces import find_first
from host.face.eyes import look_at_eyes
from host.monitor.capture import Frame, LoopSource
from host.monitor.pipeline import Pipeline
from host.monitor.track import BackgroundSearch, Track, Tracker

FORMAT = 1
"""Version of the result."""

CLIP_FRAMES = 40
"""Frames of the drawn clip that the end-to-end runs repeat."""

WARM_UP_S = 1.0
TURN_S = 5.0  #: of the pipeline; landmarks alone for a quarter of it before and after
IDLE_S = 5.0  #: before and after a run, where power is measured
BARE_CALLS = 200
"""Calls by which the backend is compared with a bare loop."""


def make_clip() -> list[Images]:
    """Frames (H, W, 3) BGR of the drawn driver."""
    heads = [head_at(NORMAL, number / FPS) for number in range(CLIP_FRAMES)]
    return [draw_frame([head] if head else []) for head in heads]


def latencies(call: Callable[[], object], seconds: float) -> dict[str, float]:
    """Call again and again for a time: calls a second and percentiles of a call in ms."""
    times: list[float] = []
    begin = last = time.perf_counter()
    while last - begin < seconds:
        call()
        now = time.perf_counter()
        times.append(now - last)
        last = now
    p50, p95, p99 = np.percentile(times, (50, 95, 99)) * 1e3
    return {
        "fps": len(times) / (last - begin), "frames": len(times),
        "p50_ms": float(p50), "p95_ms": float(p95), "p99_ms": float(p99),
    }  # fmt: skip


class _Stamping(Tracker):
    """A tracker that notes when it has found a face."""

    def __init__(self, backend: Backend, search: BackgroundSearch) -> None:
        super().__init__(backend, search)
        self.stamps: list[float] = []

    def update(self, frame: Frame, meanwhile: Callable[[], None] | None = None) -> Track:
        track = super().update(frame, meanwhile)
        if track.landmarks is not None:
            self.stamps.append(time.perf_counter())
        return track


def end_to_end(
    backend: Backend, clip: Sequence[Images], seconds: float, detector: str = DEFAULT_DETECTOR
) -> dict[str, Any]:
    """Run the whole pipeline on the clip at full speed, from its first face to its last."""
    search = BackgroundSearch(open_detector(detector, quick=True))
    try:
        tracker, source = _Stamping(backend, search), LoopSource(clip)
        done = Pipeline(source, tracker, [], seconds=seconds, looker=look_at_eyes).run()
    finally:
        search.close()
    stamps = tracker.stamps
    return {
        "fps": (len(stamps) - 1) / (stamps[-1] - stamps[0]) if len(stamps) > 1 else 0.0,
        "frames": len(stamps), "stages_ms": done.medians_ms,
    }  # fmt: skip


def compare_in_turns(
    backend: Backend,
    one: Images,
    clip: Sequence[Images],
    seconds: float,
    detector: str = DEFAULT_DETECTOR,
) -> dict[str, Any]:
    """The whole pipeline for ``seconds``, beside landmarks alone in turns of TURN_S.

    A processor's speed changes from minute to minute, so the two share each moment.
    """
    turns = max(1, round(seconds / TURN_S))
    alone, whole = [], []
    for _ in range(turns):
        before = latencies(lambda: backend.infer(one), seconds / turns / 4)["fps"]
        whole.append(end_to_end(backend, clip, seconds / turns, detector))
        after = latencies(lambda: backend.infer(one), seconds / turns / 4)["fps"]
        alone.append((before + after) / 2)
    fps = [turn["fps"] for turn in whole]
    stages = [turn["stages_ms"] for turn in whole]
    return {
        "fps": float(np.median(fps)),
        "frames": sum(turn["frames"] for turn in whole),
        "stages_ms": {
            name: float(np.median([stage[name] for stage in stages if name in stage]))
            for name in stages[-1]
        },
        "landmarks_fps": float(np.median(alone)),
        "ratio": float(np.median(np.divide(fps, alone))),
    }


def compare_with_bare(backend: Any, crop: Images, calls: int = BARE_CALLS) -> dict[str, float]:
    """Median time of the backend and of onnxruntime alone, called in turns, batch 1.

    The bare call gets its input ready made; the backend also converts bytes and checks them.
    """
    session, name = backend.session, backend.session.get_inputs()[0].name
    given = {name: crop[np.newaxis, np.newaxis].astype(np.float32) / np.float32(255)}
    ours, bare = [], []
    for _ in range(calls):
        begin = time.perf_counter()
        session.run(None, given)
        middle = time.perf_counter()
        backend.infer(crop[np.newaxis])
        bare.append(middle - begin)
        ours.append(time.perf_counter() - middle)
    medians = float(np.median(bare)) * 1e3, float(np.median(ours)) * 1e3
    return {"bare_ms": medians[0], "backend_ms": medians[1], "ratio": medians[0] / medians[1]}


def _with_power(
    run: Callable[[], dict[str, float]], meters: list[power.Meter]
) -> tuple[dict[str, float], power.Measurement, tuple[float, float]]:
    """What a run gives, its power, and its first and last second since 1970."""
    found: dict[str, float] = {}
    span = [0.0, 0.0]

    def work() -> None:
        span[0] = time.time()
        found.update(run())
        span[1] = time.time()

    spent = power.measure(work, meters, IDLE_S if meters else 0.0)
    return found, spent, (span[0], span[1])


def _means(rows: list[dict[str, float]]) -> dict[str, float]:
    """Mean of each key over rows of the same keys."""
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def measure(
    backend: Backend,
    seconds: float,
    repeat: int,
    batch: int,
    power_csv: Path | None = None,
    detector: str = DEFAULT_DETECTOR,
) -> dict[str, Any]:
    """Measure speed and power; the keys are those of docs/monitor.md."""
    clip = make_clip()
    face = find_first(open_detector(detector), clip[0])
    crop, _ = crop_face(clip[0], face.box, backend.input_size)
    one, many = crop[np.newaxis], np.repeat(crop[np.newaxis], batch, axis=0)
    latencies(lambda: backend.infer(one), WARM_UP_S)
    runs, powers, idles, meters = [], [], [], power.find_meters()
    for _ in range(repeat):
        alone, spent, span = _with_power(lambda: latencies(lambda: backend.infer(one), seconds),
                                         meters)  # fmt: skip
        powers.append({origin: found.mean_w for origin, found in spent.during.items()})
        idles.append(spent.idle_w())
        if power_csv is not None:
            powers[-1]["external meter"] = power.read_meter_csv(power_csv, *span)
        whole = compare_in_turns(backend, one, clip, seconds, detector)
        runs.append({"landmarks": alone, "end_to_end": whole})
    watts = _means(powers)
    many_fps = latencies(lambda: backend.infer(many), min(seconds, 5.0))["fps"] * batch
    fps = float(np.median([run["landmarks"]["fps"] for run in runs]))
    whole_fps = float(np.median([run["end_to_end"]["fps"] for run in runs]))
    ratios = [run["end_to_end"]["ratio"] for run in runs]
    return {
        "landmarks_fps": fps,
        "end_to_end_fps": whole_fps,
        "end_to_end_ratio": float(np.median(ratios)),
        "throughput": {"batch": batch, "fps": many_fps},
        "runs": runs,
        "bare": compare_with_bare(backend, crop) if backend.name in ("cpu", "gpu") else None,
        "power_w": watts,
        "idle_w": _means(idles),
        "fps_per_w": {origin: fps / value for origin, value in watts.items()},
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def accuracy(backend: Backend, faces: Path) -> dict[str, float]:
    """NME, FR@10 % and accuracy = 100 - NME on known crops, inter-ocular, in percent.

    Args:
        backend: an open backend.
        faces: npz with images (N, S, S) uint8 and landmarks (N, 98, 2), fractions of the crop.

    Raises:
        UserError: the file is missing or holds something else.
    """
    try:
        with np.load(faces) as content:
            images, true = content["images"], content["landmarks"].astype(np.float64)
    except (OSError, KeyError, ValueError) as error:
        raise UserError(f"{faces} is no npz with images and landmarks: {error}") from error
    found = np.concatenate([backend.infer(image[np.newaxis]) for image in images])
    if found.shape != true.shape:
        raise UserError(f"{faces} has landmarks {true.shape}, the network gives {found.shape}")
    figures = metrics.measure(found, true)
    return {
        "faces": len(true), "nme": figures.nme, "fr10": figures.failure_rate,
        "accuracy": figures.accuracy,
    }  # fmt: skip


def machine() -> dict[str, Any]:
    """What this machine is: processor, cores, clocks, system, versions."""
    text = _read("/proc/cpuinfo")
    names = [line.split(":", 1)[1].strip() for line in text.splitlines() if "model name" in line]
    clocks = [float(line.split(":")[1]) for line in text.splitlines() if "cpu MHz" in line]
    return {
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "clock_mhz": max(clocks) if clocks else None,
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip() or None,
        "board": _read("/proc/device-tree/model").strip("\0\n") or None,
        "load": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
        **provenance(),
    }


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; exits with 2 on options that do not exist."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--backend", default="auto", metavar="NAME", help=f"{', '.join(BACKENDS)} (default auto)")
    add("--model", type=Path, metavar="FILE", help="ONNX file for cpu and gpu")
    add("--build", type=Path, metavar="DIR", help="folder for sim, csim, fpga")
    add("--detector", default=DEFAULT_DETECTOR, metavar="NAME",
        help=f"{' or '.join(DETECTORS)} (default {DEFAULT_DETECTOR})")  # fmt: skip
    add("--threads", type=int, default=0, metavar="N", help="of cpu (default: as measured)")
    add("--seconds", type=float, default=60.0, metavar="S", help="of each run (default 60)")
    add("--repeat", type=int, default=3, metavar="N", help="runs (default 3)")
    add("--batch", type=int, default=16, metavar="N", help="for the throughput (default 16)")
    add("--faces", type=Path, metavar="NPZ", help="images and landmarks to measure accuracy on")
    add("--power-csv", type=Path, metavar="FILE", help="log of an external meter: time,watts")
    add("--name", metavar="TEXT", help="of the machine, for the comparison")
    add("--json", type=Path, nargs="?", const=Path("-"), metavar="FILE", help="write the result")
    options = parser.parse_args(arguments)
    if not (options.seconds > 0 and options.repeat >= 1 and options.batch >= 1):
        parser.error("--seconds must be above 0, --repeat and --batch at least 1")
    return options


def _digest(model: Path) -> str | None:
    """SHA-256 of a model file; the board's accelerator is none."""
    return hashlib.sha256(model.read_bytes()).hexdigest() if model.is_file() else None


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure what the options name."""
    backend = open_monitor(options.backend, options.model, options.build, options.threads)
    try:
        digest = _digest(Path(backend.model))
        result = {
            "format": FORMAT,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "name": options.name or platform.node(),
            "machine": machine(),
            "backend": backend.name,
            "model": Path(backend.model).name,
            "model_sha256": digest,
            "detector": options.detector,
            "threads": backend.details.get("threads"),
            "seconds": options.seconds,
            "repeat": options.repeat,
            **measure(
                backend,
                options.seconds,
                options.repeat,
                options.batch,
                options.power_csv,
                options.detector,
            ),
        }
        result["accuracy"] = accuracy(backend, options.faces) if options.faces else None
    finally:
        backend.close()
    return result


def summary(result: dict[str, Any]) -> str:
    """One row for people."""
    first = result["runs"][0]["landmarks"]
    watts = ", ".join(f"{value:.1f} W ({key})" for key, value in result["power_w"].items())
    return (
        f"{result['name']}, {result['backend']}, {result['model']}: "
        f"landmarks {result['landmarks_fps']:.1f} FPS "
        f"(p50 {first['p50_ms']:.2f}, p95 {first['p95_ms']:.2f}, p99 {first['p99_ms']:.2f} ms), "
        f"end to end {result['end_to_end_fps']:.1f} FPS "
        f"({result['end_to_end_ratio']:.2f} of landmarks alone), "
        f"batch {result['throughput']['batch']} {result['throughput']['fps']:.1f} FPS, "
        f"{result['peak_memory_mb']:.0f} MB, power {watts or 'not measured'}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 on success, 1 after a failure told in one line on stderr."""
    options = parse_arguments(arguments)
    try:
        result = run(options)
        if options.json == Path("-"):
            print(json.dumps(result, indent=2))
        else:
            print(summary(result))
            if options.json is not None:
                write_json(options.json, result)
    except (*FAILURES, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("error: interrupted; no result", file=sys.stderr)
        return 1
    return 0


def command() -> None:
    """Run the command as the process that it is."""
    sys.exit(main())


if __name__ == "__main__":
    command()
