# SPDX-License-Identifier: Apache-2.0
"""Start of the command line: ``python host/run.py``, from anywhere, or ``python -m host.run``."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])  # the tree that holds the package host

    from host.cli import main

    sys.exit(main())
