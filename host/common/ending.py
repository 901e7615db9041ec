# SPDX-License-Identifier: Apache-2.0
"""How a command ends: signals end it as Ctrl-C does, a closed stdout is no traceback."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
"""What service managers, closed terminals and Ctrl-C send."""
FINISH_S = 10.0
"""So long files are finished after a signal; then the next one interrupts again."""

USUAL = (signal.SIG_DFL, signal.default_int_handler)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Within the block SIGNALS raise KeyboardInterrupt; those that follow within FINISH_S do not,
    and those that were ignored before stay so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    mine = {number: handler for number, handler in before.items() if handler in USUAL}

    last_s = -FINISH_S

    def interrupt(_number: int, _frame: object) -> None:
        nonlocal last_s
        now = time.monotonic()
        if now - last_s >= FINISH_S:
            last_s = now
            raise KeyboardInterrupt

    for number in mine:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in mine.items():
            signal.signal(number, handler)


def flush_stdout() -> None:
    """Write what is buffered. BrokenPipeError if its reader has gone; it is then forgotten."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())  # or Python complains at its own end
        os.close(nowhere)
        raise


def leave(code: int) -> None:
    """End the process; a thread that is stuck in a device's native code would crash a usual end."""
    try:
        flush_stdout()
    except BrokenPipeError:
        code = code or 1
    if sys.stderr is not None:
        sys.stderr.flush()
    if threading.active_count() > 1:
        os._exit(code)
    sys.exit(code)
