# SPDX-License-Identifier: Apache-2.0
"""Where tools live. The one module that reads and sets environment variables."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import tempfile


def prepare_finn() -> None:
    """Make FINN importable without any vendor tool; idempotent.

    FINN reads its scratch folder from ``FINN_BUILD_DIR`` at import and needs a settings object.
    """
    if "FINN_BUILD_DIR" not in os.environ:
        scratch = tempfile.mkdtemp(prefix="finn_")
        atexit.register(shutil.rmtree, scratch, ignore_errors=True)
        os.environ["FINN_BUILD_DIR"] = scratch
    from finn.util import settings

    settings.initialize_dummy_settings()
    logging.getLogger("torch").setLevel(logging.ERROR)
