# SPDX-License-Identifier: Apache-2.0
"""Shared helpers get the readable assertions of tests, before anything imports them."""

import pytest

pytest.register_assert_rewrite("tests.rtl.harness", "tests.model.samples")
