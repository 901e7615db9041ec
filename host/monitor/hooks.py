# SPDX-License-Identifier: Apache-2.0
"""What happens when an alarm begins or ends: programs are started, outputs switched."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

from host.common.errors import UserError
from host.monitor.state import ALARMS


class CommandHook:
    """Starts a command whenever an alarm begins; it finds the state in DRIVER_STATE."""

    def __init__(self, command: str) -> None:
        """Split ``command`` as a shell would.

        Raises:
            UserError: the command is empty or its quotes do not match.
        """
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            raise UserError(f"the alarm command {command!r} cannot be read: {error}") from error
        if not self._words:
            raise UserError("the alarm command is empty; give a program with its arguments")
        self._running: list[subprocess.Popen[bytes]] = []

    def set(self, state: str) -> None:
        """Tell the new state. OSError when the command cannot be started."""
        self._running = [process for process in self._running if process.poll() is None]
        if state in ALARMS:
            environment = os.environ | {"DRIVER_STATE": state}
            self._running.append(
                subprocess.Popen(self._words, env=environment, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL)
            )  # fmt: skip

    def close(self) -> None:
        """Wait for what was started, at most half a second, then end it."""
        for process in self._running:
            try:
                process.wait(0.5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class GpioHook:
    """Writes 1 during an alarm and 0 otherwise to a file of sysfs: a GPIO's or LED's value."""

    def __init__(self, path: Path) -> None:
        """Write the first 0.

        Raises:
            UserError: the file cannot be written.
        """
        self._path = path
        try:
            self._write("0")
        except OSError as error:
            raise UserError(
                f"cannot write the alarm output {path}: {error.strerror or error}; give a file such"
                " as /sys/class/gpio/gpio78/value that exists and is writable"
            ) from error

    def set(self, state: str) -> None:
        """Tell the new state."""
        self._write("1" if state in ALARMS else "0")

    def close(self) -> None:
        """Switch the output off."""
        self._write("0")

    def _write(self, text: str) -> None:
        with self._path.open("r+") as file:
            file.write(text)
