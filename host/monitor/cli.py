# SPDX-License-Identifier: Apache-2.0
"""The driver monitor as the command line asks for it: which source, which sinks, which limits."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TextIO

from host.backends import Backend
from host.common.errors import UserError
from host.face.detect.choice import open_detector
from host.face.eyes import look_at_eyes
from host.face.image import READ_SUFFIXES
from host.monitor.capture import Paced, Source
from host.monitor.dashboard import Dashboard
from host.monitor.eyes import BLINK_LEAST, FLOOR
from host.monitor.hooks import CommandHook, GpioHook, HookSink
from host.monitor.notices import Notices
from host.monitor.pipeline import Outcome, Pipeline, Sink
from host.monitor.profile import Profile, read_profile, write_profile
from host.monitor.seat import ANYWHERE, parse_seat
from host.monitor.session import SessionReport
from host.monitor.sinks.lines import JsonSink, clock
from host.monitor.sinks.mqtt import MqttSink, parse_broker
from host.monitor.sinks.video import VideoSink
from host.monitor.sinks.window import WindowSink
from host.monitor.sources import (
    VIDEO_SUFFIXES,
    Options,
    check_name,
    open_source,
    without_password,
)
from host.monitor.thresholds import Thresholds, doubt, read_thresholds
from host.monitor.track import BackgroundSearch, DirectSearch, Tracker

STDOUT = Path("-")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of moving sources."""
    add = parser.add_argument_group("for moving sources").add_argument
    add("--seconds", type=float, metavar="S", help="end after this time of the source")
    add("--fps", type=float, metavar="N", help="rate of a folder's pictures (25), or of a camera")
    add("--size", metavar="WxH", help="size of a camera's pictures")
    add("--give-up", type=float, metavar="S",
        help="end when a live source gives nothing for so long (default: never)")  # fmt: skip
    add("--window", action="store_true", help="show a window; Esc ends")
    add("--dashboard", metavar="[HOST:]PORT",
        help="serve a web page; beyond the loopback with a token")  # fmt: skip
    add("--report", type=Path, metavar="FILE", help="HTML page about the run")
    add("--thresholds", type=Path, metavar="FILE", help="JSON with other limits than the defaults")
    add("--profile", type=Path, metavar="FILE",
        help="what is known of the driver: read if it is there, written at the end")  # fmt: skip
    add("--seat", metavar="WHERE",
        help="where the driver's face is: left, right or fractions of the picture: "
        "left,top,width,height")  # fmt: skip
    add("--alarm", metavar="COMMAND", help="started at each alarm, with the state in DRIVER_STATE")
    add("--gpio", type=Path, metavar="FILE", help="value file of a GPIO or LED: 1 during alarms")
    add("--mqtt", metavar="[mqtts://][USER@]HOST[:PORT][/TOPIC]",
        help="publish state and measures (default under driver/)")  # fmt: skip
    add("--mqtt-password", type=Path, metavar="FILE", help="its first line is the user's password")
    add("--mqtt-ca", type=Path, metavar="FILE", help="certificates to trust, for TLS")


MOVING = ("seconds", "fps", "size", "give_up", "window", "dashboard", "report", "thresholds",
          "seat", "profile", "alarm", "gpio", "mqtt", "mqtt_password", "mqtt_ca")  # fmt: skip
"""Options that a picture has no use for."""


def refuse_moving(options: argparse.Namespace) -> None:
    """Raise UserError if an option is given that a picture would ignore."""
    given = [name for name in MOVING if getattr(options, name) not in (None, False)]
    if given:
        names = ", ".join("--" + name.replace("_", "-") for name in given)
        raise UserError(
            f"{names}: only for moving sources, and {options.source} is a picture; "
            "leave it out or name a camera, stream, video or folder"
        )


def check_outputs(options: argparse.Namespace, at_end: Collection[str]) -> None:
    """Raise UserError if an output would be written over a picture, an input or another output.

    at_end: outputs of which the run writes nothing before its end; their folders must be there.
    """
    if options.json not in (None, STDOUT):
        kind = options.json.suffix.lower()
        if kind in (*READ_SUFFIXES, *VIDEO_SUFFIXES):
            raise UserError(
                f"--json {options.json} would write text into a file with the ending of a picture "
                "or video; give a name such as face.json"
            )
    inputs = [options.source, options.model, options.thresholds, options.mqtt_password,
              options.mqtt_ca]  # fmt: skip
    taken = {os.path.realpath(str(name)) for name in inputs if name is not None}
    for name in ("json", "out", "report", "profile", "gpio"):
        path = getattr(options, name)
        if path in (None, STDOUT):
            continue
        check_name(f"--{name}", str(path))
        if name in at_end and path.is_dir():
            raise UserError(f"cannot write {path}: not a regular file; give another path")
        if os.path.realpath(path) in taken:
            raise UserError(
                f"--{name} {path} is also an input or another output; give another name"
            )
        taken.add(os.path.realpath(path))
        if name in at_end and not os.access(path.absolute().parent, os.W_OK):
            raise UserError(
                f"--{name} {path} cannot be written: {path.absolute().parent} is missing or not "
                "writable; give a path in a folder that is"
            )
    for name in ("mqtt_password", "mqtt_ca"):
        if options.mqtt is None and getattr(options, name) is not None:
            raise UserError(f"--{name.replace('_', '-')} is of no use without --mqtt; give both")


def source_options(options: argparse.Namespace) -> Options:
    """How the source is to be opened. UserError for a value that is not possible."""
    return Options(
        fps=options.fps, size=parse_size(options.size), rotate=options.rotate,
        give_up_s=options.give_up,
    )  # fmt: skip


def parse_size(text: str | None) -> tuple[int, int] | None:
    """Read WxH. UserError if it is none."""
    if text is None:
        return None
    width, mark, height = text.lower().partition("x")
    numbers = [int(side) for side in (width, height) if side.isascii() and side.isdigit()]
    if not mark or len(numbers) != 2 or not all(16 <= side <= 16384 for side in numbers):
        raise UserError(f"--size {text} is none; give width and height such as 640x480")
    return numbers[0], numbers[1]


def monitor(options: argparse.Namespace, backend: Backend) -> None:
    """Watch until the source ends; a summary goes to stdout, or to stderr if JSON goes there.

    Raises:
        UserError, ToolError: something cannot be opened, or source, backend or a sink failed.
    """
    if options.seconds is not None and not options.seconds > 0:
        raise UserError(f"--seconds {options.seconds:g} is not possible; give a time above 0")
    check_outputs(options, at_end=("report", "profile"))
    notices = Notices()
    limits = read_thresholds(options.thresholds) if options.thresholds else Thresholds()
    seat = ANYWHERE if options.seat is None else parse_seat(options.seat)
    known = options.profile is not None and options.profile.exists()
    profile = read_profile(options.profile) if known else None
    if profile is not None:
        try:
            profile.check(FLOOR * BLINK_LEAST * limits.eye_least, limits.eye_most)
        except UserError as error:
            notices.tell(f"{error}; the driver is learnt anew")
            profile = None
    finder = open_detector(options.detector, quick=True)
    source = open_source(options.source, source_options(options), notices.tell)
    if (options.window or options.dashboard is not None) and not source.live:
        source = Paced(source)
    search = BackgroundSearch(finder) if source.live else DirectSearch(finder)
    try:
        sinks = open_sinks(options, source, notices, run_facts(options, backend))
    except BaseException:
        source.close()
        search.close()
        raise
    try:
        tracker = Tracker(backend, search, options.equalise, seat)
        pipeline = Pipeline(
            source, tracker, sinks, limits, options.seconds, notices, profile, look_at_eyes
        )
        for sink in sinks:
            if isinstance(sink, Dashboard):
                sink.attach(pipeline)
                print(f"dashboard: {sink.url}", file=sys.stderr, flush=True)
        if limits.silent:
            notices.tell(f"no alarm for: {', '.join(limits.silent)} (alarm_states says so)")
        if doubted := doubt(backend.network, own=options.thresholds is not None):
            notices.tell(doubted)
        try:
            outcome = pipeline.run()
        finally:
            keep_profile(options.profile, pipeline.judge.profile)
    finally:
        search.close()
    report(outcome, sys.stderr if options.json == STDOUT else sys.stdout)
    if not outcome.frames:
        shown = without_password(options.source)
        raise UserError(f"the source {shown} gave no picture: nobody was watched")


def keep_profile(path: Path | None, profile: Profile | None) -> None:
    """Write what was learnt of the driver, if anything was, where --profile says."""
    if path is not None and profile is not None:
        write_profile(path, profile)


def run_facts(options: argparse.Namespace, backend: Backend) -> dict[str, object]:
    """What a log or report should tell about the run as a whole."""
    return {
        "started": clock(time.time()),
        "source": without_password(options.source),
        "backend": backend.name,
        "model": backend.model,
        "detector": options.detector,
    }


def open_sinks(
    options: argparse.Namespace, source: Source, notices: Notices, facts: Mapping[str, object]
) -> list[Sink]:
    """Open what the options name; on an error those already open are closed."""
    sinks: list[Sink] = []
    try:
        if options.out is not None:
            sinks.append(VideoSink(options.out, source.fps))
        if options.window:
            sinks.append(WindowSink())
        if options.alarm is not None:
            sinks.append(HookSink(CommandHook(options.alarm), notices))
        if options.gpio is not None:
            sinks.append(HookSink(GpioHook(options.gpio), notices))
        if options.report is not None:
            sinks.append(SessionReport(options.report, facts))
        if options.dashboard is not None:
            sinks.append(Dashboard(options.dashboard, facts, options.thresholds))
        if options.mqtt is not None:
            broker = parse_broker(options.mqtt, options.mqtt_password, options.mqtt_ca)
            sinks.append(MqttSink(broker, notices))
        if options.json is not None:  # the last, as it empties a file that is there
            sinks.append(JsonSink(None if options.json == STDOUT else options.json, facts))
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
