# SPDX-License-Identifier: Apache-2.0
"""How a command ends: signals end it as Ctrl-C does, a closed stdout is no traceback."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
"""What service managers, closed terminals and Ctrl-C send."""
USUAL = (signal.SIG_DFL, signal.default_int_handler)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Within the block the first of SIGNALS raises KeyboardInterrupt; those that follow it are
    ignored, and so are those that were before."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    mine = {number: handler for number, handler in before.items() if handler in USUAL}

    def interrupt(_number: int, _frame: object) -> None:
        for number in mine:
            signal.signal(number, signal.SIG_IGN)  # the files are being finished
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
