# SPDX-License-Identifier: Apache-2.0
"""``python -m docs_builder diagrams | pages``."""

from __future__ import annotations

import argparse
import sys

from docs_builder.diagrams import write_all


def main(arguments: list[str] | None = None) -> int:
    """Make what was asked for and print the files."""
    parser = argparse.ArgumentParser(prog="python -m docs_builder", description=__doc__)
    parser.add_argument("what", choices=["diagrams"], help="docs/diagrams/*.svg")
    parser.parse_args(arguments)
    for path in write_all():
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
