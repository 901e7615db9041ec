# SPDX-License-Identifier: Apache-2.0
"""MQTT against a real broker: states, last will, user, TLS, a broker that dies."""

import json
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest

from host.common.errors import UserError
from host.monitor.notices import Notices
from host.monitor.sinks.mqtt import MqttSink, parse_broker
from host.monitor.state import ASLEEP, NORMAL
from tests.host.monitor.servers import free_port, mosquitto
from tests.host.monitor.test_sinks import observation

paho = pytest.importorskip("paho.mqtt.client", reason="needs paho-mqtt")


class Listener:
    """Another client that keeps what is published."""

    def __init__(self, port, user=None):
        self.heard, self.ready = [], threading.Event()
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        if user:
            self.client.username_pw_set(*user)
        self.client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self.client.on_subscribe = lambda *_: self.ready.set()
        self.client.on_message = lambda _client, _data, message: self.heard.append(
            (message.topic, message.payload.decode(), message.retain)
        )
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self.ready.wait(10)

    def states(self, topic="driver/state"):
        return [text for name, text, _ in self.heard if name == topic]

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


def wait_for(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_states_and_measures_are_published_and_the_end_says_offline(tmp_path):
    port = free_port()
    with mosquitto(tmp_path, port):
        listener = Listener(port)
        sink = MqttSink(parse_broker(f"127.0.0.1:{port}"), Notices())
        for number in range(60):
            sink.write(observation(number, ASLEEP if number >= 30 else NORMAL))
        wait_for(lambda: len(listener.heard) == 5)
        assert listener.states() == ["normal", "asleep"]
        measures = [json.loads(text) for name, text, _ in listener.heard if "measures" in name]
        assert [row["frame"] for row in measures] == [0, 25, 50]
        assert "landmarks" not in measures[0]
        sink.close()
        wait_for(lambda: listener.states()[-1] == "offline")
        late = Listener(port)
        wait_for(lambda: late.heard == [("driver/state", "offline", True)])
        late.close()
        listener.close()


VICTIM = """
import sys, time
from host.monitor.notices import Notices
from host.monitor.sinks.mqtt import MqttSink, parse_broker
from tests.host.monitor.test_sinks import observation
sink = MqttSink(parse_broker(sys.argv[1]), Notices())
sink.write(observation(0, "asleep"))
print("told", flush=True)
time.sleep(60)
"""


def test_the_last_will_tells_that_a_killed_monitor_watches_no_more(tmp_path):
    port = free_port()
    with mosquitto(tmp_path, port):
        listener = Listener(port)
        words = [sys.executable, "-c", VICTIM, f"127.0.0.1:{port}/bus/7"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "told\n"
            wait_for(lambda: listener.states("bus/7/state") == ["asleep"])
            process.kill()
        wait_for(lambda: listener.states("bus/7/state") == ["asleep", "offline"])
        listener.close()


def test_a_killed_broker_is_named_within_five_seconds_and_found_again(tmp_path, capsys):
    port, notices = free_port(), Notices()
    with mosquitto(tmp_path, port) as process:
        sink = MqttSink(parse_broker(f"127.0.0.1:{port}"), notices)
        sink.write(observation(0, NORMAL))
        process.kill()
        killed = time.monotonic()
        wait_for(lambda: notices.failures)
        assert time.monotonic() - killed < 5
    assert "warning: MQTT 127.0.0.1: the connection is lost (" in capsys.readouterr().err
    sink.write(observation(1, ASLEEP))
    with mosquitto(tmp_path, port):
        listener = Listener(port)
        wait_for(lambda: listener.states() == ["asleep"], 20)
        assert "connected again" in notices.lines[-1]
        sink.close()
        listener.close()


def test_a_broker_that_hangs_is_named_within_five_seconds(tmp_path):
    port, notices = free_port(), Notices()
    with mosquitto(tmp_path, port) as process:
        sink = MqttSink(parse_broker(f"127.0.0.1:{port}"), notices)
        process.send_signal(signal.SIGSTOP)
        stopped = time.monotonic()
        wait_for(lambda: notices.failures)
        assert time.monotonic() - stopped < 5
        begin = time.monotonic()
        sink.close()
        assert time.monotonic() - begin < 1


def test_user_and_password(tmp_path):
    port = free_port()
    for name, text in (("right", "secret\n"), ("wrong", "guess\n")):
        (tmp_path / name).write_text(text)
    words = ["mosquitto_passwd", "-b", "-c", tmp_path / "users", "car", "secret"]
    if shutil.which("mosquitto_passwd") is None:
        pytest.skip("needs mosquitto")
    subprocess.run(words, check=True, capture_output=True)
    with mosquitto(tmp_path, port, f"password_file {tmp_path / 'users'}"):
        address = f"mqtt://car@127.0.0.1:{port}"
        MqttSink(parse_broker(address, tmp_path / "right"), Notices()).close()
        with pytest.raises(UserError, match=r"refuses: Not authorized; check port, user, passw"):
            MqttSink(parse_broker(address, tmp_path / "wrong"), Notices())


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # paho leaves the refused socket open
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_tls(tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out",
         certificate, "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    key.chmod(0o644)
    tmp_path.chmod(0o755)
    port = free_port()
    with mosquitto(
        tmp_path,
        port,
        f"certfile {certificate}",
        f"keyfile {key}",
    ):
        address = f"mqtts://127.0.0.1:{port}"
        MqttSink(parse_broker(address, ca=certificate), Notices()).close()
        with pytest.raises(UserError, match="no MQTT broker at 127.0.0.1: .*certificate"):
            MqttSink(parse_broker(address), Notices())
        with pytest.raises(UserError, match="cannot read the certificates .*no.pem: No such file"):
            MqttSink(parse_broker(address, ca=tmp_path / "no.pem"), Notices())


def test_what_is_wrong_is_named(monkeypatch, tmp_path):
    with pytest.raises(UserError, match="no MQTT broker at 127.0.0.1: Connection refused"):
        MqttSink(parse_broker(f"127.0.0.1:{free_port()}"), Notices())
    with pytest.raises(UserError, match="cannot read the password in .*: No such file"):
        parse_broker("car@host", tmp_path / "no")
    monkeypatch.setitem(sys.modules, "paho.mqtt", None)
    with pytest.raises(UserError, match="--mqtt needs paho-mqtt, which is missing; pip install"):
        MqttSink(parse_broker("broker"), Notices())


@pytest.mark.parametrize(
    "address",
    ["", "host:port", "host:99999", "http://host", "://host", "user:password@host", "host/a/+",
     "host/#", "[::1", "mqtt://"],
)  # fmt: skip
def test_addresses_that_are_none(address):
    with pytest.raises(UserError, match="the MQTT address '.*' is none; give HOST or"):
        parse_broker(address)


def test_the_parts_of_an_address():
    found = parse_broker("mqtts://car%2F7@[::1]:9000/fleet/7/")
    assert (found.host, found.port, found.tls) == ("::1", 9000, True)
    assert (found.user, found.topic) == ("car/7", "fleet/7")
    plain = parse_broker("host")
    assert (plain.port, plain.tls, plain.topic) == (1883, False, "driver")
    assert parse_broker("mqtts://host").port == 8883
