# SPDX-License-Identifier: Apache-2.0
"""The driver monitor as the command line asks for it: which source, which sinks, which limits."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TextIO

from host.backends import Backend
from host.common.errors import UserError
from host.face.detect import open_detector
from host.monitor.capture import Paced, Source, open_source
from host.monitor.dashboard import Dashboard
from host.monitor.hooks import CommandHook, GpioHook
from host.monitor.pipeline import Outcome, Pipeline, Sink
from host.monitor.session import SessionReport
from host.monitor.sinks import Hook, HookSink, JsonSink, MqttSink, VideoSink, WindowSink
from host.monitor.thresholds import Thresholds, read_thresholds
from host.monitor.track import BackgroundSearch, DirectSearch, Tracker

STDOUT = Path("-")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of moving sources."""
    add = parser.add_argument_group("for moving sources").add_argument
    add("--seconds", type=float, metavar="S", help="end after this time of the source")
    add("--window", action="store_true", help="show a window; Esc ends")
    add("--dashboard", metavar="[HOST:]PORT",
        help="serve a web page; beyond the loopback with a token")  # fmt: skip
    add("--report", type=Path, metavar="FILE", help="HTML page about the run")
    add("--detector", default="haar", metavar="NAME",
        help="haar (default), a YuNet ONNX file, or mtcnn")  # fmt: skip
    add("--thresholds", type=Path, metavar="FILE", help="JSON with other limits than the defaults")
    add("--alarm", metavar="COMMAND", help="started at each alarm, with the state in DRIVER_STATE")
    add("--gpio", type=Path, metavar="FILE", help="value file of a GPIO or LED: 1 during alarms")
    add("--mqtt", metavar="HOST[:PORT]", help="publish state and measures under driver/")


def monitor(options: argparse.Namespace, backend: Backend) -> None:
    """Watch until the source ends; a summary goes to stdout, or to stderr if JSON goes there.

    Raises:
        UserError, ToolError: something cannot be opened, or source, backend or a sink failed.
    """
    if options.seconds is not None and not options.seconds > 0:
        raise UserError(f"--seconds {options.seconds:g} is not possible; give a time above 0")
    limits = read_thresholds(options.thresholds) if options.thresholds else Thresholds()
    finder = open_detector(options.detector)
    source = open_source(options.source)
    if (options.window or options.dashboard is not None) and not source.live:
        source = Paced(source)
    search = BackgroundSearch(finder) if source.live else DirectSearch(finder)
    try:
        sinks = open_sinks(options, source)
    except BaseException:
        source.close()
        search.close()
        raise
    try:
        tracker = Tracker(backend, search, options.equalise)
        pipeline = Pipeline(source, tracker, sinks, limits, options.seconds)
        for sink in sinks:
            if isinstance(sink, Dashboard):
                sink.attach(pipeline)
                print(f"dashboard: {sink.url}", file=sys.stderr, flush=True)
        outcome = pipeline.run()
    finally:
        search.close()
    report(outcome, sys.stderr if options.json == STDOUT else sys.stdout)


def open_sinks(options: argparse.Namespace, source: Source) -> list[Sink]:
    """Open what the options name; on an error those already open are closed."""
    sinks: list[Sink] = []
    try:
        if options.json is not None:
            sinks.append(JsonSink(None if options.json == STDOUT else options.json))
        if options.out is not None:
            sinks.append(VideoSink(options.out, source.fps))
        if options.window:
            sinks.append(WindowSink())
        hooks: list[Hook] = []
        if options.alarm is not None:
            hooks.append(CommandHook(options.alarm))
        if options.gpio is not None:
            hooks.append(GpioHook(options.gpio))
        if hooks:
            sinks.append(HookSink(hooks))
        if options.report is not None:
            sinks.append(SessionReport(options.report))
        if options.dashboard is not None:
            sinks.append(Dashboard(options.dashboard))
        if options.mqtt is not None:
            sinks.append(MqttSink(options.mqtt))
    except BaseException:
        for sink in sinks:
            sink.close()
        raise
    return sinks


def report(outcome: Outcome, stream: TextIO) -> None:
    """Print what a run came to. UserError if a sink failed."""
    times = ", ".join(f"{name} {value:.2f} ms" for name, value in outcome.medians_ms.items())
    print(
        f"{outcome.frames} frames in {outcome.seconds:.1f} s, {outcome.dropped} dropped; "
        f"median by stage: {times}",
        file=stream,
    )
    if outcome.failures:
        raise UserError("; ".join(outcome.failures))
