# SPDX-License-Identifier: Apache-2.0
"""What happens when an alarm begins or ends: programs are started, outputs switched."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import time
from pathlib import Path
from typing import Protocol

from host.common.errors import UserError
from host.monitor.judge import Observation
from host.monitor.notices import Notices

RETRY_S = 1.0
"""After this time a hook that has failed is told the state again."""

MOST = 8
"""So many alarm programs may run at once."""

WAIT_S = 0.5
"""How long the end waits for alarm programs before it ends them."""


SHELLS = ("sh", "bash", "dash", "zsh", "fish", "ksh")
OF_A_SHELL = ("|", "||", "&", "&&", ";", "<", ">", ">>", ">&", "&>")
STATE = re.compile(r"\$\{?DRIVER_STATE")


class Hook(Protocol):
    """Something that is told each new state; see host.monitor.state."""

    @property
    def name(self) -> str:
        """For messages."""

    def set(self, state: str, alarm: bool) -> None:
        """Tell the state and whether it sounds the alarm. OSError when it fails."""

    def complaints(self) -> list[str]:
        """What has gone wrong since, once."""

    def close(self, ended: bool = False) -> None:
        """Finish. ended: by a failure, so that nobody watches."""


class HookSink:
    """Tells one hook when the state changes; one that fails is told again after RETRY_S."""

    lossy = False

    def __init__(self, hook: Hook, notices: Notices) -> None:
        """notices: told at once of what fails."""
        self.name = hook.name
        self._hook, self._notices = hook, notices
        self._told: tuple[str, bool] | None = None
        self._again_s = 0.0
        self._ended = False

    def write(self, seen: Observation) -> None:
        """Tell the state if it is new, and pass on the hook's complaints."""
        new, self._ended = (seen.state, seen.alarm), seen.ended
        if new != self._told and time.monotonic() >= self._again_s:
            try:
                self._hook.set(*new)
                self._told = new
            except OSError as error:
                self._try_again(str(error.strerror or error))
        self._complain()

    def close(self) -> None:
        """Close the hook."""
        self._hook.close(self._ended)
        self._complain()

    def _complain(self) -> None:
        for line in self._hook.complaints():
            self._try_again(line)

    def _try_again(self, failure: str) -> None:
        """Name what has failed; the state must be told anew."""
        self._told, self._again_s = None, time.monotonic() + RETRY_S
        self._notices.fail(f"{self.name}: {failure}")


class CommandHook:
    """Starts a command whenever an alarm begins; it finds the state in DRIVER_STATE."""

    def __init__(self, command: str) -> None:
        """Split ``command`` as a shell would.

        Raises:
            UserError: the command is empty, its quotes do not match, there is no such program, or
                it has what only a shell understands.
        """
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            raise UserError(f"the alarm command {command!r} cannot be read: {error}") from error
        if not self._words:
            raise UserError("the alarm command is empty; give a program with its arguments")
        if shutil.which(self._words[0]) is None:
            raise UserError(
                f"the alarm program {self._words[0]!r} is not there or not executable; "
                "give one with its path, or one on PATH"
            )
        if not any(Path(word).name in SHELLS for word in self._words):
            wrong = [word for word in self._words if STATE.search(word)]
            wrong += [
                word for word in shlex.shlex(command, punctuation_chars=True) if word in OF_A_SHELL
            ]
            if wrong:
                raise UserError(
                    f"the alarm command has {wrong[0]!r}, which only a shell understands; give "
                    f"sh -c {shlex.quote(command)}"
                )
        self.name = f"alarm program {self._words[0]}"
        self._running: list[subprocess.Popen[bytes]] = []
        self._complaints: list[str] = []

    def set(self, state: str, alarm: bool) -> None:
        """Tell the new state. OSError when the command cannot be started."""
        self._collect()
        if not alarm:
            return
        if len(self._running) >= MOST:
            self._complaints.append(f"{MOST} of them still run; no more is started")
            return
        environment = os.environ | {"DRIVER_STATE": state}
        self._running.append(
            subprocess.Popen(self._words, env=environment, stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL)
        )  # fmt: skip

    def complaints(self) -> list[str]:
        """Programs that have ended with another code than 0, and those not started."""
        self._collect()
        lines, self._complaints = self._complaints, []
        return lines

    def _collect(self) -> None:
        ended = [process for process in self._running if process.poll() is not None]
        self._running = [process for process in self._running if process not in ended]
        for process in ended:
            if process.returncode > 0:
                self._complaints.append(f"ended with exit code {process.returncode}")
            elif process.returncode < 0:
                self._complaints.append(f"was ended by signal {-process.returncode}")

    def close(self, ended: bool = False) -> None:
        """Wait for what was started, at most half a second in all, then end it."""
        end = time.monotonic() + WAIT_S
        for process in self._running:
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                self._running = [one for one in self._running if one is not process]


class GpioHook:
    """Writes 1 during an alarm and 0 otherwise to a file of sysfs: a GPIO's or LED's value.

    After a failure that ends the run it stays at 1.
    """

    def __init__(self, path: Path) -> None:
        """Write the first 0.

        Raises:
            UserError: the file cannot be written, or holds something else than a number.
        """
        self._path, self.name = path, f"alarm output {path}"
        try:
            with path.open("rb") as file:
                held = file.read(32).strip()
            if held and not held.isdigit():
                raise UserError(
                    f"the alarm output {path} holds no number; give the value file of a GPIO or "
                    "the brightness of an LED"
                )
            self._write("0")
        except OSError as error:
            raise UserError(
                f"cannot write the alarm output {path}: {error.strerror or error}; give a file such"
                " as /sys/class/gpio/gpio78/value that exists and is writable"
            ) from error

    def set(self, state: str, alarm: bool) -> None:
        """Switch the output on or off."""
        self._write("1" if alarm else "0")

    def complaints(self) -> list[str]:
        """None: what fails is raised at once."""
        return []

    def close(self, ended: bool = False) -> None:
        """Switch the output off, unless nobody watches any more because of a failure."""
        if not ended:
            self._write("0")

    def _write(self, text: str) -> None:
        with self._path.open("r+") as file:
            file.write(text)
