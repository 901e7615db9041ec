# SPDX-License-Identifier: Apache-2.0
"""Files, hooks and messages that a run leaves."""

import json
import os
import shutil
import sys
import types
from pathlib import Path

import cv2
import pytest

from host.common.errors import UserError
from host.monitor.capture import Frame
from host.monitor.hooks import CommandHook, GpioHook
from host.monitor.measures import Measures
from host.monitor.pipeline import Observation, Pipeline, Stop
from host.monitor.session import MAX_POINTS, SessionReport
from host.monitor.sinks import HookSink, JsonSink, MqttSink, VideoSink, WindowSink
from host.monitor.state import ASLEEP, NORMAL
from host.monitor.track import DirectSearch, Track, Tracker
from tests.host.drivers import Backend, Finder, Source, picture


def observation(number=0, state=NORMAL, **measures):
    frame = Frame(number, number / 25, picture())
    found = Measures(time_s=frame.time_s, **measures)
    return Observation(frame, Track(landmarks=None), found, state, {})


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
    value.write_text("x")
    command = CommandHook(f"sh -c 'echo $DRIVER_STATE >> {log}'")
    sink = HookSink([GpioHook(value), command])
    levels = []
    for number, state in enumerate([NORMAL, NORMAL, ASLEEP, ASLEEP, NORMAL]):
        sink.write(observation(number, state))
        levels.append(value.read_text())
        if state == ASLEEP:
            for process in command._running:
                process.wait(10)
    sink.close()
    assert levels == ["0", "0", "1", "1", "0"]
    assert log.read_text() == "asleep\n"


def test_the_gpio_is_switched_off_at_the_end(tmp_path):
    value = tmp_path / "value"
    value.write_text("0")
    sink = HookSink([GpioHook(value)])
    sink.write(observation(0, ASLEEP))
    sink.close()
    assert value.read_text() == "0"


def test_a_hanging_alarm_command_is_ended(tmp_path):
    hook = CommandHook("sleep 60")
    hook.set(ASLEEP)
    hook.close()
    assert hook._running[0].returncode < 0


def test_hooks_that_cannot_be_are_refused(tmp_path):
    with pytest.raises(UserError, match="the alarm command is empty; give a program"):
        CommandHook("  ")
    with pytest.raises(UserError, match="cannot be read: No closing quotation"):
        CommandHook("beep 'twice")
    with pytest.raises(UserError, match="cannot write the alarm output .*; give a file such as"):
        GpioHook(tmp_path / "no")
    missing = HookSink([CommandHook("no-such-program-here")])
    with pytest.raises(FileNotFoundError):
        missing.write(observation(0, ASLEEP))


# -- MQTT ------------------------------------------------------------------------------------------


class Client:
    """Keeps what the sink publishes."""

    refuse = False

    def __init__(self, version):
        self.sent, self.calls = [], []
        Client.last = self

    def connect(self, host, port, keepalive):
        if self.refuse:
            raise ConnectionRefusedError(111, "Connection refused")
        self.address = (host, port)

    def publish(self, topic, payload, **options):
        self.sent.append((topic, payload, options))

    def loop_start(self):
        self.calls.append("start")

    def loop_stop(self):
        self.calls.append("stop")

    def disconnect(self):
        self.calls.append("disconnect")


@pytest.fixture
def client(monkeypatch):
    """The stand-in for paho-mqtt."""
    module = types.ModuleType("paho.mqtt.client")
    module.Client = Client
    module.CallbackAPIVersion = types.SimpleNamespace(VERSION2=2)
    package = types.ModuleType("paho.mqtt")
    package.client = module
    for name, content in (("paho", types.ModuleType("paho")), ("paho.mqtt", package),
                          ("paho.mqtt.client", module)):  # fmt: skip
        monkeypatch.setitem(sys.modules, name, content)
    monkeypatch.setattr(Client, "refuse", False)
    return Client


def test_mqtt_gets_new_states_and_measures_once_a_second(client):
    sink = MqttSink("broker:1884")
    for number in range(60):
        sink.write(observation(number, ASLEEP if number >= 30 else NORMAL))
    sink.close()
    states = [(topic, text) for topic, text, _ in client.last.sent if topic == "driver/state"]
    measures = [json.loads(text) for topic, text, _ in client.last.sent if "measures" in topic]
    assert states == [("driver/state", "normal"), ("driver/state", "asleep")]
    assert [row["frame"] for row in measures] == [0, 25, 50]
    assert client.last.address == ("broker", 1884)
    assert client.last.calls == ["start", "disconnect", "stop"]


def test_mqtt_says_what_is_wrong(client, monkeypatch):
    with pytest.raises(UserError, match="the MQTT address 'host:port' is none; give HOST or"):
        MqttSink("host:port")
    monkeypatch.setattr(client, "refuse", True)
    with pytest.raises(UserError, match="no MQTT broker at broker: Connection refused"):
        MqttSink("broker")
    monkeypatch.setitem(sys.modules, "paho.mqtt", None)
    with pytest.raises(UserError, match="--mqtt needs paho-mqtt, which is missing; pip install"):
        MqttSink("broker")


# -- session report --------------------------------------------------------------------------------


def test_the_report_tells_states_counts_and_curves(tmp_path):
    page = tmp_path / "session.html"
    sink = SessionReport(page)
    for number in range(100):
        opening = None if number < 10 else 0.9
        state = ASLEEP if 50 <= number < 75 else NORMAL
        sink.write(observation(number, state, opening=opening, yawns=3))
    sink.close()
    text = page.read_text()
    assert "<tr><td>yawns</td><td>3</td></tr>" in text
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
