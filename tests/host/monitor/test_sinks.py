# SPDX-License-Identifier: Apache-2.0
"""Files, hooks and messages that a run leaves."""

import json
import os
import shutil
import sys
import time
import types
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import cv2
import pytest

from host.common.errors import UserError
from host.monitor import hooks
from host.monitor.capture import Frame
from host.monitor.hooks import MOST, CommandHook, GpioHook, HookSink
from host.monitor.judge import Observation
from host.monitor.measures import Measures
from host.monitor.notices import AGAIN_S, Notices
from host.monitor.pipeline import Pipeline, Stop
from host.monitor.session import MAX_POINTS, SessionReport
from host.monitor.sinks.lines import JsonSink
from host.monitor.sinks.video import VideoSink
from host.monitor.sinks.window import WindowSink
from host.monitor.state import ALARMS, ASLEEP, NO_PICTURE, NORMAL
from host.monitor.thresholds import Thresholds
from host.monitor.track import DirectSearch, Track, Tracker
from tests.host.drivers import Backend, Finder, Source, picture


def observation(number=0, state=NORMAL, **measures):
    frame = Frame(number, number / 25, picture())
    found = Measures(time_s=frame.time_s, **measures)
    return Observation(
        frame, Track(landmarks=None), found, state, {}, state in ALARMS, Thresholds()
    )


def run(sinks, count=12):
    source = Source(lambda _: picture(), count)
    return Pipeline(source, Tracker(Backend(), DirectSearch(Finder())), sinks).run()


def test_json_and_video_tell_of_every_frame(tmp_path):
    log, video = tmp_path / "run.jsonl", tmp_path / "run.avi"
    outcome = run([JsonSink(log), VideoSink(video, 25.0)])
    assert outcome.failures == []
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    assert [row["frame"] for row in rows] == list(range(12))
    assert {row["state"] for row in rows} == {"normal"}
    assert len(rows[0]["landmarks"]) == 98
    assert set(rows[0]["crop"]) == {"left", "top", "side"}
    capture = cv2.VideoCapture(str(video))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 12
    assert capture.get(cv2.CAP_PROP_FRAME_HEIGHT) == 512
    capture.release()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.avi", "run.jsonl"]


def test_json_goes_to_stdout_too(capsys):
    sink = JsonSink(None)
    sink.write(observation(3, ASLEEP, closed_s=2.0))
    sink.close()
    row = json.loads(capsys.readouterr().out)
    assert (row["frame"], row["state"], row["closed_s"], row["landmarks"]) == (3, "asleep", 2, None)
    assert (row["alarm"], row["fault"]) == (True, "")
    assert abs(datetime.fromisoformat(row["clock"]).timestamp() - time.time()) < 60


def test_the_first_line_tells_of_the_run_and_later_ones_of_other_thresholds(tmp_path):
    sink = JsonSink(tmp_path / "run.jsonl", {"source": "0", "model": "m.onnx"})
    changed = observation(2)
    changed.limits = Thresholds(asleep_s=2.0)
    first = observation(0)
    for seen in (first, first, changed, changed):
        sink.write(seen)
    sink.close()
    rows = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    assert [row.get("run") for row in rows] == [
        {"source": "0", "model": "m.onnx"},
        None,
        None,
        None,
    ]
    asleep = [row["thresholds"]["asleep_s"] if "thresholds" in row else None for row in rows]
    assert asleep == [1.5, None, 2.0, None]


def test_h264_has_the_times_of_the_source_and_plays_before_it_is_finished(tmp_path):
    pytest.importorskip("av", reason="needs the package av")
    path = tmp_path / "run.mp4"
    sink = VideoSink(path, 25.0)
    for number in range(80):
        sink.write(observation(number if number < 40 else number + 50))
    copied = tmp_path / "crash.mp4"
    copied.write_bytes(path.read_bytes())  # what a crash would leave
    sink.close()
    crashed, whole = (list(frames_of(name)) for name in (copied, path))
    assert len(whole) == 80
    assert len(crashed) >= 50
    assert whole[39] == pytest.approx(39 / 25, abs=0.002)
    assert whole[40] == pytest.approx(90 / 25, abs=0.002)
    with open(path, "rb") as file:
        assert b"avc1" in file.read()


def frames_of(path):
    capture = cv2.VideoCapture(str(path))
    while capture.read()[0]:
        yield capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3
    capture.release()


def test_without_av_opencv_writes_the_video(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    sink = VideoSink(tmp_path / "run.mp4", 25.0)
    for number in range(3):
        sink.write(observation(number))
    assert [path.name[0] for path in tmp_path.iterdir()] == ["."]
    sink.close()
    assert [path.name for path in tmp_path.iterdir()] == ["run.mp4"]
    assert len(list(frames_of(tmp_path / "run.mp4"))) == 3


def test_json_without_a_stdout_is_refused(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(UserError, match="cannot write JSON: stdout is closed; give --json a file"):
        JsonSink(None)


def test_a_log_has_one_writer_and_is_not_touched_by_a_second(tmp_path):
    log = tmp_path / "run.jsonl"
    log.write_text("of an earlier run\n" * 100)
    first = JsonSink(log)
    first.write(observation(1))
    with pytest.raises(UserError, match=r"another monitor writes .*run\.jsonl; give each its own"):
        JsonSink(log)
    first.write(observation(2))
    first.close()
    assert [json.loads(line)["frame"] for line in log.read_text().splitlines()] == [1, 2]
    JsonSink(log).close()
    assert log.read_text() == ""
    JsonSink(Path("/dev/null")).close()


def test_a_full_disk_ends_video_and_log_but_not_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: types.SimpleNamespace(free=10))
    outcome = run([VideoSink(tmp_path / "run.mp4", 25.0), JsonSink(Path("/dev/full"))])
    assert outcome.frames == 12
    assert sorted(outcome.failures) == [
        "/dev/full: No space left on device",
        f"{tmp_path}/run.mp4: No space left on device",
    ]


def test_outputs_that_cannot_be_are_refused_before_the_run(tmp_path):
    with pytest.raises(UserError, match=r"no video format for the ending '\.gif'; use \.mp4, "):
        VideoSink(tmp_path / "run.gif", 25.0)
    with pytest.raises(UserError, match="no writable folder"):
        VideoSink(tmp_path / "no" / "run.mp4", 25.0)
    with pytest.raises(UserError, match=r"cannot write .*run\.jsonl: No such file"):
        JsonSink(tmp_path / "no" / "run.jsonl")


def test_a_video_without_a_frame_is_no_file(tmp_path):
    VideoSink(tmp_path / "run.mp4", 25.0).close()
    assert list(tmp_path.iterdir()) == []


def test_the_window_ends_on_escape(monkeypatch):
    shown = []
    monkeypatch.setattr(cv2, "imshow", lambda _, image: shown.append(image))
    for key, stops in ((-1, False), (ord("a"), False), (27, True)):
        monkeypatch.setattr(cv2, "waitKey", lambda _, key=key: key)
        if stops:
            with pytest.raises(Stop):
                WindowSink().write(observation())
        else:
            WindowSink().write(observation())
    assert len(shown) == 3


def test_a_window_without_a_screen_is_one_line(monkeypatch):
    def fail(*_):
        raise cv2.error("The function is not implemented")

    monkeypatch.setattr(cv2, "imshow", fail)
    with pytest.raises(UserError, match="shows no windows; install opencv-python instead"):
        WindowSink().write(observation())


# -- hooks -----------------------------------------------------------------------------------------


def test_hooks_hear_of_changes_only(tmp_path):
    value, log = tmp_path / "value", tmp_path / "log"
    value.write_text("1")
    command = CommandHook(f"sh -c 'echo $DRIVER_STATE >> {log}'")
    sinks = [HookSink(hook, Notices()) for hook in (GpioHook(value), command)]
    levels = []
    for number, state in enumerate([NORMAL, NORMAL, ASLEEP, ASLEEP, NORMAL]):
        for sink in sinks:
            sink.write(observation(number, state))
        levels.append(value.read_text())
        if state == ASLEEP:
            for process in command._running:
                process.wait(10)
    for sink in sinks:
        sink.close()
    assert levels == ["0", "0", "1", "1", "0"]
    assert log.read_text() == "asleep\n"


def test_the_gpio_is_switched_off_at_the_end(tmp_path):
    value = tmp_path / "value"
    value.write_text("0")
    sink = HookSink(GpioHook(value), Notices())
    sink.write(observation(0, ASLEEP))
    assert value.read_text() == "1"
    sink.close()
    assert value.read_text() == "0"


def test_the_gpio_stays_on_after_a_failure_that_ends_the_run(tmp_path):
    value = tmp_path / "value"
    value.write_text("0")
    sink = HookSink(GpioHook(value), Notices())
    sink.write(replace(observation(0, NO_PICTURE), ended=True))
    sink.close()
    assert value.read_text() == "1"


def test_an_alarm_program_that_fails_is_started_again_while_the_alarm_lasts(tmp_path, monkeypatch):
    monkeypatch.setattr(hooks, "RETRY_S", 0.05)
    log = tmp_path / "log"
    sink = HookSink(CommandHook(f"sh -c 'echo $DRIVER_STATE >> {log}; exit 1'"), Notices())
    end = time.monotonic() + 10
    while not log.is_file() or log.read_text().count("asleep") < 3:
        assert time.monotonic() < end
        sink.write(observation(0, ASLEEP))
        time.sleep(0.01)
    sink.close()


def test_a_failure_is_told_again_after_it_had_ended_or_lasts(monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr("host.monitor.notices.time.monotonic", lambda: now[0])
    told = Notices()
    for text in ("sink: lost", "sink: lost", "other: lost"):
        told.fail(text)
    told.tell("sink: again", mended="sink")
    for text in ("sink: lost", "other: lost"):
        told.fail(text)
    now[0] += AGAIN_S
    told.fail("other: lost")
    assert capsys.readouterr().err.splitlines() == [
        "warning: sink: lost", "warning: other: lost", "note: sink: again", "warning: sink: lost",
        "warning: other: lost"]  # fmt: skip
    assert told.failures == ["sink: lost", "other: lost"]


def test_a_hanging_alarm_command_is_ended(tmp_path):
    hook = CommandHook("sleep 60")
    hook.set(ASLEEP, True)
    (process,) = hook._running
    hook.close()
    assert process.returncode < 0
    assert hook.complaints() == []


def test_the_exit_code_of_an_alarm_program_is_told_while_the_run_goes_on(capsys):
    notices = Notices()
    sink = HookSink(CommandHook("sh -c 'exit 3'"), notices)
    sink.write(observation(0, ASLEEP))
    end = time.monotonic() + 10
    while not notices.failures:
        assert time.monotonic() < end
        sink.write(observation(1, ASLEEP))
        time.sleep(0.01)
    assert notices.failures == ["alarm program sh: ended with exit code 3"]
    assert capsys.readouterr().err == "warning: alarm program sh: ended with exit code 3\n"


def test_alarm_programs_do_not_pile_up():
    hook = CommandHook("sleep 60")
    for _ in range(MOST + 2):
        hook.set(ASLEEP, True)
    assert len(hook._running) == MOST
    assert set(hook.complaints()) == {f"{MOST} of them still run; no more is started"}
    begin = time.monotonic()
    hook.close()
    assert time.monotonic() - begin < 1


def test_a_hook_that_fails_is_told_at_once_and_tried_again(tmp_path, monkeypatch, capsys):
    value = tmp_path / "value"
    value.write_text("0")
    notices = Notices()
    sink = HookSink(GpioHook(value), notices)
    value.unlink()
    monkeypatch.setattr(hooks, "RETRY_S", 0.0)
    sink.write(observation(0, ASLEEP))
    assert "No such file or directory" in capsys.readouterr().err
    value.write_text("0")
    sink.write(observation(1, ASLEEP))
    assert value.read_text() == "1"
    assert notices.failures == [f"alarm output {value}: No such file or directory"]


def test_one_hook_fails_alone(tmp_path, monkeypatch):
    """The program is there at the start and gone at the alarm; the output still switches."""
    program, value = tmp_path / "beep", tmp_path / "value"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    value.write_text("0")
    notices = Notices()
    sinks = [HookSink(CommandHook(str(program)), notices), HookSink(GpioHook(value), notices)]
    program.unlink()
    levels = []
    monkeypatch.setattr(GpioHook, "_write", lambda _, text: levels.append(text))
    source = Source(lambda _: picture(left=None), 75)
    outcome = Pipeline(
        source, Tracker(Backend(), DirectSearch(Finder())), sinks, notices=notices
    ).run()
    assert outcome.failures == [f"alarm program {program}: No such file or directory"]
    assert levels == ["0", "1", "0"]


def test_hooks_that_cannot_be_are_refused(tmp_path):
    with pytest.raises(UserError, match="the alarm command is empty; give a program"):
        CommandHook("  ")
    with pytest.raises(UserError, match="cannot be read: No closing quotation"):
        CommandHook("beep 'twice")
    with pytest.raises(UserError, match="cannot write the alarm output .*; give a file such as"):
        GpioHook(tmp_path / "no")
    with pytest.raises(UserError, match="program 'no-such-program-here' is not there or not exec"):
        CommandHook("no-such-program-here")


@pytest.mark.parametrize(
    ("command", "word"),
    [
        ("echo $DRIVER_STATE", "$DRIVER_STATE"), ("echo on >> log", ">>"), ("true && ls", "&&"),
        ("ls 2> log", ">"), ("touch al_$DRIVER_STATE", "al_$DRIVER_STATE"),
    ],
)  # fmt: skip
def test_what_only_a_shell_understands_is_refused(command, word):
    with pytest.raises(UserError) as told:
        CommandHook(command)
    text = f"has {word!r}, which only a shell understands; give sh -c '{command}'"
    assert text in str(told.value)
    CommandHook(f"sh -c '{command}'")
    for fine in (f"env sh -c '{command}'", "echo 'costs $5 > 3; so' --level=3", "echo a.b c/d"):
        CommandHook(fine)


# -- session report --------------------------------------------------------------------------------


def test_the_report_tells_states_counts_and_curves(tmp_path):
    page = tmp_path / "session.html"
    sink = SessionReport(page, {"model": "m.onnx"})
    for number in range(100):
        opening = None if number < 10 else 0.9
        state = ASLEEP if 50 <= number < 75 else NORMAL
        sink.write(observation(number, state, opening=opening, yawns=3))
    sink.close()
    text = page.read_text()
    assert "<tr><td>yawns</td><td>3</td></tr>" in text
    assert "<tr><td>model</td><td>m.onnx</td></tr>" in text
    assert "<tr><td>asleep_s</td><td>1.5</td></tr>" in text
    assert "<tr><td>2.00 s</td><td>asleep</td></tr><tr><td>3.00 s</td><td>normal</td>" in text
    assert text.count("<polyline") == 1  # the other measures were never there
    assert os.listdir(tmp_path) == ["session.html"]


def test_the_report_of_a_long_run_does_not_grow(tmp_path):
    sink = SessionReport(tmp_path / "session.html")
    seen = observation()
    for number in range(5 * MAX_POINTS):
        seen.measures = Measures(time_s=number / 25)
        sink.write(seen)
        assert len(sink._points) <= MAX_POINTS
    SessionReport(tmp_path / "none.html").close()
    assert not (tmp_path / "none.html").exists()
