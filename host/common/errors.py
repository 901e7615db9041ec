# SPDX-License-Identifier: Apache-2.0
"""The kinds of failure that a command reports in one line and ends with exit code 1."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class UserError(Exception):
    """The input is at fault. The text says what, which value, what is allowed, what to do.

    It is one line whatever names and values of the input it repeats.
    """

    def __init__(self, text: str) -> None:
        super().__init__(" ".join(text.splitlines()))


class ToolError(Exception):
    """An external program failed: its command, its log and the last lines of that log."""

    def __init__(self, command: Sequence[str], log: Path, reason: str, tail: str = "") -> None:
        self.command, self.log, self.reason, self.tail = list(command), log, reason, tail
        text = f"{self.command[0]}: {reason}; log: {log}"
        super().__init__(f"{text}\n{tail}" if tail else text)


class VerifyError(Exception):
    """A stage disagrees with the integer reference; nothing downstream may be trusted."""

    def __init__(
        self, tensor: str, index: tuple[int, ...], found: object, expected: object, where: str = ""
    ) -> None:
        self.tensor, self.index, self.found, self.expected = tensor, index, found, expected
        stage = f" after {where}" if where else ""
        super().__init__(
            f"{tensor}{list(index)} is {found}, the integer reference says {expected}{stage}"
        )


class DeviceError(Exception):
    """The accelerator or the way to it failed: an error it reports, a timeout, wrong contents."""


def line_of(error: Exception) -> str:
    """First line of an error of ours, whose kind says no more."""
    return str(error).splitlines()[0]


def first_line(error: BaseException) -> str:
    """Kind and first line of an error of a library, for a message of one line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


FAILURES = (UserError, ToolError, VerifyError, DeviceError)
