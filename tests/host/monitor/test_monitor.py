# SPDX-License-Identifier: Apache-2.0
"""The whole monitor through its command, on drawn drivers whose script is known."""

import json
import os
import resource
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

from host import run
from host.backends import DEFAULT_MODEL, open_backend
from host.drawn.head import Head
from host.drawn.script import DEMO, DEMO_S, NORMAL, Event, draw_frame, head_at, strength
from host.face.detect.choice import open_detector
from host.monitor.capture import LoopSource, SyntheticSource
from host.monitor.dashboard import Dashboard
from host.monitor.measures import Measurer
from host.monitor.person import SPREAD
from host.monitor.pipeline import Pipeline
from host.monitor.profile import Profile
from host.monitor.sinks.lines import as_json
from host.monitor.thresholds import Thresholds
from host.monitor.track import DirectSearch, Tracker
from tests.host.conftest import ROOT
from tests.host.drivers import Backend, Sink, shipped_pipeline

LIMITS = Thresholds()
LOAD_S = 0.5 * os.getloadavg()[0] / (os.cpu_count() or 1)
"""What a busy machine may add to a time that is measured."""


def fails(capsys, *arguments):
    assert run.main([str(argument) for argument in arguments]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert printed.count("\n") == 1
    return printed


def test_no_output_is_written_over_another_or_an_input(tmp_path, tiny_model, capsys):
    log, empty = tmp_path / "log.jsonl", tmp_path / "no" / "r.html"
    log.write_text("{}\n")
    common = ["--source", "synthetic", "--model", tiny_model]
    for words, message in (
        (["--json", log, "--profile", log], "--profile"),
        (["--json", log, "--mqtt", "host", "--mqtt-ca", log], "--json"),
        (["--json", log, "--gpio", log], "--gpio"),
        (["--json", log, "--gpio", tmp_path / "card"], "holds no number"),
        (["--json", log, "--report", empty], f"--report {empty} cannot be written"),
        (["--json", log, "--profile", empty], f"--profile {empty} cannot be written"),
        (["--json", log, "--mqtt", "127.0.0.1:1"], "no MQTT broker"),
        (["--json", log, "--mqtt-ca", tiny_model], "--mqtt-ca is of no use without --mqtt"),
    ):
        (tmp_path / "card").write_text('{"a": 1}')
        assert message in fails(capsys, *common, *words)
        assert log.read_text() == "{}\n"
    assert (tmp_path / "card").read_text() == '{"a": 1}'


def test_states_that_do_not_sound_are_told(tmp_path, tiny_model, capsys):
    limits = tmp_path / "limits.json"
    limits.write_text('{"alarm_states": ["no picture", "tired"]}')
    command = ["--source", "synthetic", "--seconds", 0.2, "--model", tiny_model,
               "--thresholds", limits]  # fmt: skip
    assert run.main([str(word) for word in command]) == 0
    told = "note: no alarm for: eyes not visible, wrong way up, looking away, no face, asleep "
    assert told in capsys.readouterr().err


def test_the_command_writes_log_video_and_report(tmp_path, tiny_model, capsys):
    log, video, page = (tmp_path / name for name in ("run.jsonl", "run.mp4", "run.html"))
    command = ["--source", "synthetic", "--seconds", 0.6, "--model", tiny_model, "--threads", 1,
               "--json", log, "--out", video, "--report", page]  # fmt: skip
    assert run.main([str(word) for word in command]) == 0
    assert capsys.readouterr().out.startswith("15 frames in ")
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    assert [row["frame"] for row in rows] == list(range(15))
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"run.jsonl", "run.mp4", "run.html"}


def test_json_alone_goes_to_stdout_and_the_summary_to_stderr(tiny_model, capsys):
    command = ["--source", "synthetic", "--seconds", "0.1", "--model", str(tiny_model), "--json"]
    assert run.main(command) == 0
    printed = capsys.readouterr()
    assert [json.loads(line)["frame"] for line in printed.out.splitlines()] == [0, 1, 2]
    assert printed.err.startswith("3 frames in ")


def test_a_network_with_other_lids_is_told(tmp_path, tiny_model, capsys):
    other = tmp_path / "other.onnx"
    other.write_bytes(tiny_model.read_bytes())
    command = ["--source", "synthetic", "--seconds", "0.1", "--model", str(other)]
    assert run.main(command) == 0
    told = capsys.readouterr().err
    assert told.startswith("note: the limits for eyes were measured with pfld_eyes, not with other")


def test_wrong_options_end_in_one_line(capsys, tmp_path, tiny_model):
    base = ["--source", "synthetic", "--model", tiny_model]
    for options, message in (
        (["--seconds", 0], "--seconds 0 is not possible; give a time above 0"),
        (["--detector", "yunet"], "there is no detector 'yunet'; use blazeface or haar"),
        (["--thresholds", tmp_path / "no.json"], "cannot read"),
        (["--out", tmp_path / "run.gif"], "no video format for the ending '.gif'"),
        (["--alarm", ""], "the alarm command is empty"),
        (["--dashboard", "here"], "the dashboard's address 'here' is none"),
    ):
        assert message in fails(capsys, *base, *options)
    assert "no such file" in fails(capsys, "--source", tmp_path / "no.mp4", "--model", tiny_model)


def test_a_run_without_a_single_picture_is_a_failure(tmp_path, tiny_model, capsys):
    (tmp_path / "f1.png").write_text("none")
    assert run.main(["--source", str(tmp_path), "--model", str(tiny_model)]) == 1
    told = capsys.readouterr().err.splitlines()
    assert "left out: " in told[0]
    assert told[-1] == f"error: the source {tmp_path} gave no picture: nobody was watched"


def test_ctrl_c_ends_within_a_second_and_closes_the_files(tmp_path, tiny_model):
    log, video = tmp_path / "run.jsonl", tmp_path / "run.avi"
    command = [sys.executable, str(ROOT / "host" / "run.py"), "--source", "synthetic", "--model",
               tiny_model, "--json", log, "--out", video]  # fmt: skip
    words = [str(word) for word in command]
    with subprocess.Popen(
        words, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # shells may ignore it
    ) as process:  # fmt: skip
        while not (log.exists() and log.read_text().count("\n") >= 3 and any(tmp_path.glob(".*"))):
            time.sleep(0.02)
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        error = process.stderr.read()
        assert process.wait(30) == 1
    assert error == "error: interrupted; the files are complete up to here\n"
    frames = [json.loads(line)["frame"] for line in log.read_text().splitlines()]
    assert frames == list(range(len(frames)))
    assert video.stat().st_size > 1000
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["TERM", "HUP"])
def test_a_signal_during_an_alarm_leaves_all_in_order_within_a_second(tmp_path, tiny_model, number):
    """GPIO 0, report and video complete, the alarm program ended."""
    clip, value = tmp_path / "clip", tmp_path / "value"
    clip.mkdir()
    for frame in range(400):
        cv2.imwrite(str(clip / f"f{frame}.bmp"), np.zeros((120, 160, 3), np.uint8))
    value.write_text("0")
    report, video, log = tmp_path / "run.html", tmp_path / "run.mp4", tmp_path / "run.jsonl"
    command = [sys.executable, ROOT / "host" / "run.py", "--source", clip, "--fps", 25, "--model",
               tiny_model, "--report", report, "--out", video, "--gpio", value, "--json", log,
               "--alarm", "sleep 60", "--dashboard", "0", "--threads", 1]  # fmt: skip
    with subprocess.Popen(
        [str(word) for word in command], stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    ) as process:  # fmt: skip
        while value.read_text() != "1":
            time.sleep(0.02)
            assert process.poll() is None
        process.send_signal(number)
        sent = time.monotonic()
        assert process.wait(30) == 1
        took = time.monotonic() - sent
        error = process.stderr.read()
    assert error.splitlines()[-1] == "error: interrupted; the files are complete up to here"
    assert value.read_text() == "0"
    assert "no face" in report.read_text()
    assert report.read_text().endswith("</html>\n")
    capture = cv2.VideoCapture(str(video))
    times = [0.0]
    while capture.read()[0]:
        times.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3)
    capture.release()
    last = json.loads(log.read_text().splitlines()[-1])["time_s"]
    assert last > 2
    assert abs(times[-1] - last) < 0.5  # each sink may have lost frames of this live source
    assert took < 1.0 + LOAD_S


def test_a_profile_is_kept_from_run_to_run(tmp_path, monkeypatch, tiny_model, capsys):
    """What was learnt is written at the end, and the next run begins with it."""
    known = Profile(eye_left=0.3, eye_right=0.32, yaw_deg=1.0, pitch_deg=2.0,
                    proportions=(0.0,) * len(SPREAD))  # fmt: skip
    path, begun = tmp_path / "driver.json", []
    monkeypatch.setattr(Measurer, "profile", lambda _: known)
    begin = Measurer.__init__

    def spy(self, limits, profile=None):
        begun.append(profile)
        begin(self, limits, profile)

    monkeypatch.setattr(Measurer, "__init__", spy)
    words = ["--source", "synthetic", "--seconds", "0.2", "--model", str(tiny_model), "--profile"]
    for _ in range(2):
        assert run.main([*words, str(path)]) == 0
    assert begun == [None, known]
    path.write_text("{}")
    assert "is no profile of format" in fails(capsys, *words, path)


def test_two_faces_and_one_that_leaves_and_comes_back():
    """The larger one is followed; when it goes, none of its state stays."""
    big, small = (Head(x=x, y=200, unit=unit) for x, unit in ((200, 90), (500, 45)))
    image = draw_frame([big, small])
    boxes = [face.box for face in open_detector().find(image)]
    assert len(boxes) == 2
    assert abs(boxes[0].x + boxes[0].width / 2 - 200) < 25
    script = [Event("gone", 0.4, 0.8)]
    sink, finder = Sink(), open_detector(quick=True)
    source = SyntheticSource(script)
    tracker = Tracker(Backend(), DirectSearch(finder))
    Pipeline(source, tracker, [sink], seconds=1.6).run()
    seen = [one.track.landmarks is not None for one in sink.seen]
    assert all(seen[:10])
    assert not any(seen[10:20])
    assert all(seen[30:])


def test_the_script_is_smooth_and_repeats():
    event = Event("yawn", 2.0, 5.0)
    assert [strength(event, at) for at in (1.9, 2.0, 3.5, 5.0, 5.1)] == [0, 0, 1, 0, 0]
    levels = [strength(event, 2 + n / 100) for n in range(60)]
    assert levels == sorted(levels)
    one, other = head_at(DEMO, 6.5), head_at(DEMO, 6.5 + DEMO_S)
    assert one.eyes == other.eyes == 0
    assert head_at([Event("gone", 1, 2)], 1.5) is None


def test_the_drawing_moves_what_it_should():
    def drawn(**change):
        return draw_frame([Head(x=320, y=185, unit=105, **change)]).astype(int)

    calm = drawn()
    rows = {"eyes": (150, 205), "mouth": (240, 300)}
    for name, value in (("eyes", 0.0), ("mouth", 1.0)):
        change = np.abs(drawn(**{name: value}) - calm).mean(axis=(1, 2))
        first, last = rows[name]
        assert change[first:last].mean() > 1.5
        assert change[:120].max() < 0.05  # of 255, a row; the hair is drawn over the moved face
    for name in ("yaw", "pitch", "roll"):
        assert np.abs(drawn(**{name: 20.0}) - calm).mean() > 1
    assert (draw_frame([Head(x=-900, y=185, unit=105)]) == draw_frame([])).all()


# -- the shipped network on the drawn driver -------------------------------------------------------


def watch(script, seconds):
    sink = Sink()
    sink.write = lambda seen: sink.seen.append(as_json(seen))
    backend = open_backend("cpu", DEFAULT_MODEL, threads=1)
    shipped_pipeline(SyntheticSource(script), backend, [sink], seconds=seconds).run()
    return sink.seen


@pytest.mark.slow
def test_everything_in_the_script_is_found():
    rows = watch(DEMO, DEMO_S)
    closed = next(event for event in DEMO if event.kind == "closed")
    asleep = next(row["time_s"] for row in rows if row["state"] == "asleep")
    assert 0 <= asleep - (closed.begin_s + LIMITS.asleep_s) <= 0.5
    last = rows[-1]
    for kind, count in (("yawn", last["yawns"]), ("nod", last["nods"])):
        assert count == sum(event.kind == kind for event in DEMO)
    assert last["microsleeps"] == 1
    assert last["blinks"] >= 2  # those after calibration
    away = next(event for event in DEMO if event.kind == "away")
    times = [row["time_s"] for row in rows if row["state"] == "looking away"]
    assert 0 <= times[0] - (away.begin_s + LIMITS.away_s) <= 0.6


@pytest.mark.slow
def test_a_normal_minute_raises_no_alarm():
    rows = watch(NORMAL, 60.0)
    assert {row["state"] for row in rows} == {"normal"}
    assert rows[-1]["blinks"] >= 14


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_a_soak_holds_memory_and_queues():
    """The shipped network at full speed for SOAK_S seconds, two minutes unless it is set."""

    def megabytes():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize() / 2**20

    clip = [draw_frame([head_at(NORMAL, n / 25)]) for n in range(25)]
    marks = []

    class Meter(Sink):
        def write(self, seen):
            longest[0] = max(longest[0], *pipeline.queue_lengths().values())
            if seen.frame.number % 500 == 0:
                marks.append(megabytes())

    longest = [0]  # queue of the whole run
    seconds = float(os.environ.get("SOAK_S", "120"))
    backend = open_backend("cpu", DEFAULT_MODEL, threads=1)
    sinks = [Meter(), Dashboard("0")]
    pipeline = shipped_pipeline(LoopSource(clip), backend, sinks, seconds=seconds)
    pipeline.run()
    print(f"{len(marks) * 500} frames, {marks[1]:.0f} MB at first, {max(marks[1:]):.0f} at most")
    assert longest[0] <= 2
    assert len(marks) >= 3
    assert max(marks[1:]) - marks[1] < 20
