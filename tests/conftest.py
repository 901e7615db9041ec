# SPDX-License-Identifier: Apache-2.0
"""What all tests share; helpers get readable assertions before anything imports them."""

import signal

import pytest

pytest.register_assert_rewrite("tests.hw.rtl.harness", "tests.model.samples")


@pytest.fixture
def sigint():
    """Ctrl-C as in a terminal: after nohup, or behind & in a script, Python starts ignoring it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
