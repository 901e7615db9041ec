# SPDX-License-Identifier: Apache-2.0
"""Signals end a block once; what follows the first does not disturb the finishing of files."""

import os
import signal
import subprocess
import sys

import pytest

from host.common.ending import SIGNALS, ended_by_signals
from tests.host.conftest import ROOT

PROGRAM = """
import time
from host.common.ending import ended_by_signals
with ended_by_signals():
    try:
        print("ready", flush=True)
        time.sleep(20)
    except KeyboardInterrupt:
        print("finishing", flush=True)
        time.sleep(1)
        print("complete", flush=True)
"""


@pytest.mark.parametrize("second", SIGNALS)
@pytest.mark.parametrize("first", SIGNALS)
def test_a_second_signal_waits_for_the_end(first, second):
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: [signal.signal(s, signal.SIG_DFL) for s in SIGNALS[:2]]
        + [signal.signal(signal.SIGINT, signal.default_int_handler)],
    ) as process:  # fmt: skip
        assert process.stdout.readline() == "ready\n"
        process.send_signal(first)
        assert process.stdout.readline() == "finishing\n"
        process.send_signal(second)
        assert process.stdout.readline() == "complete\n"
        assert process.wait(5) == 0


def test_handlers_are_as_before():
    before = [signal.getsignal(number) for number in SIGNALS]
    with ended_by_signals():
        pass
    assert [signal.getsignal(number) for number in SIGNALS] == before
