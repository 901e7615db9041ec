# SPDX-License-Identifier: Apache-2.0
"""States and measures to an MQTT broker, through paho-mqtt."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from host.common.errors import UserError
from host.monitor.judge import Observation
from host.monitor.notices import Notices
from host.monitor.sinks.lines import as_json

PORTS = {"mqtt": 1883, "mqtts": 8883}
TOPIC = "driver"
"""Messages go to driver/state (retained) and driver/measures unless the address names a topic."""

OFFLINE = "offline"
"""What driver/state holds when nobody watches; the broker sets it when the connection breaks."""

ANSWER_S = 3.0
"""How long the broker may take to answer at the start."""

KEEPALIVE_S = 2
"""A broker that is silent for about twice this long counts as lost."""

RECONNECT_S = (1, 5)
"""First and longest wait before the next try."""

LAST_WORD_S = 0.3
"""How long the end waits for the broker to take the last message."""


@dataclass(frozen=True, kw_only=True)
class Broker:
    """Where to publish, and as whom."""

    host: str
    port: int
    tls: bool = False
    user: str | None = None
    topic: str = TOPIC
    password: str | None = None
    ca: Path | None = None
    """Certificates to trust instead of the system's."""


def parse_broker(address: str, password: Path | None = None, ca: Path | None = None) -> Broker:
    """Read [mqtt[s]://][USER@]HOST[:PORT][/TOPIC].

    Args:
        address: as above.
        password: file whose first line is the user's password.
        ca: file with the certificates to trust.

    Raises:
        UserError: it is no such address, or a file cannot be read.
    """
    scheme, mark, rest = address.rpartition("://")
    try:
        url = urlsplit(f"//{rest}")
        host, port = url.hostname, url.port
    except ValueError:
        host, port = None, None
    wrong = scheme not in ("", *PORTS) or bool(mark) != bool(scheme) or set("#?") & set(rest)
    if not host or wrong or url.password or "+" in url.path:
        raise UserError(
            f"the MQTT address {address!r} is none; give HOST or [mqtt[s]://][USER@]HOST[:PORT]"
            "[/TOPIC], and the password in a file with --mqtt-password"
        )
    if password is not None and not url.username:
        raise UserError(
            f"the MQTT address {address!r} names no user for the password; give USER@{rest}"
        )
    tls = scheme == "mqtts" or ca is not None
    return Broker(
        host=host, port=port or PORTS["mqtts" if tls else "mqtt"], tls=tls, ca=ca,
        user=unquote(url.username) if url.username else None,
        topic=url.path.strip("/") or TOPIC,
        password=None if password is None else _first_line(password),
    )  # fmt: skip


def _first_line(path: Path) -> str:
    try:
        return (path.read_text().splitlines() or [""])[0]
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot read the password in {path}: {reason}") from error


class MqttSink:
    """Publishes each new state, and the measures once a second."""

    lossy = True

    def __init__(self, broker: Broker, notices: Notices) -> None:
        """Connect; later the client library connects again by itself.

        Raises:
            UserError: paho-mqtt is missing, or there is no broker, or it refuses.
        """
        try:
            from paho.mqtt import client as mqtt
        except ImportError as error:
            raise UserError(
                "--mqtt needs paho-mqtt, which is missing; pip install paho-mqtt"
            ) from error
        self.name = f"MQTT {broker.host}"
        self._topic, self._notices = broker.topic, notices
        self._state: str | None = None
        self._sent_s = float("-inf")
        self._answered, self._connected = threading.Event(), threading.Event()
        self._refusal, self._closing, self._lost = "", False, False
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)  # type: ignore[attr-defined]
        self._prepare(broker)
        try:
            self._client.connect(broker.host, broker.port, keepalive=KEEPALIVE_S)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UserError(f"no MQTT broker at {broker.host}: {reason}") from error
        self._client.loop_start()
        self._await_answer(broker)

    def _prepare(self, broker: Broker) -> None:
        client = self._client
        client.will_set(f"{self._topic}/state", OFFLINE, qos=1, retain=True)
        client.reconnect_delay_set(*RECONNECT_S)
        client.connect_timeout = ANSWER_S
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        if broker.user is not None:
            client.username_pw_set(broker.user, broker.password)
        if broker.tls:
            try:
                client.tls_set(None if broker.ca is None else str(broker.ca))
            except OSError as error:
                raise UserError(
                    f"cannot read the certificates {broker.ca}: {error.strerror or error}"
                ) from error

    def _await_answer(self, broker: Broker) -> None:
        answered = self._answered.wait(ANSWER_S)
        if self._connected.is_set():
            return
        self._closing = True
        self._client.loop_stop()
        reason = f"refuses: {self._refusal}" if answered else f"gives no answer in {ANSWER_S:g} s"
        raise UserError(
            f"the MQTT broker at {broker.host}:{broker.port} {reason}; check port, user, password "
            "and TLS (mqtts://)"
        )

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, code: Any, _more: Any) -> None:
        """From the client's thread: connected, or refused."""
        if code.is_failure:
            self._refusal = str(code)
            if self._answered.is_set():
                self._notices.fail(f"{self.name}: the broker refuses: {code}; trying again")
        else:
            self._connected.set()
            if self._lost:
                self._notices.tell(f"{self.name}: connected again", mended=self.name)
            if self._state is not None:
                self._publish_state(self._state)
        self._answered.set()

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, code: Any, _more: Any) -> None:
        """From the client's thread: the connection has ended."""
        was = self._connected.is_set()
        self._connected.clear()
        if was and not self._closing:
            self._lost = True
            self._notices.fail(f"{self.name}: the connection is lost ({code}); trying again")

    def _publish_state(self, state: str) -> Any:
        """Without a receipt: one missing would bring an old state back after a new connection."""
        return self._client.publish(f"{self._topic}/state", state, retain=True)

    def write(self, seen: Observation) -> None:
        """Publish what is new; what is missed while the broker is away is not sent later."""
        new, self._state = seen.state != self._state, seen.state
        if not self._connected.is_set():
            return
        if new:
            self._publish_state(seen.state)
        if not 0 <= seen.frame.time_s - self._sent_s < 1:
            self._sent_s = seen.frame.time_s
            line = as_json(seen)
            del line["landmarks"]
            self._client.publish(f"{self._topic}/measures", json.dumps(line))

    def close(self) -> None:
        """Say goodbye and disconnect."""
        self._closing = True
        if self._connected.is_set():
            self._publish_state(OFFLINE).wait_for_publish(LAST_WORD_S)
            self._client.disconnect()
            self._client.loop_stop()
        else:
            self._client.disconnect()  # its thread may be trying to connect and ends later
