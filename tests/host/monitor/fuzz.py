# SPDX-License-Identifier: Apache-2.0
"""Odd input of one kind, changed by what it reaches in the code, until the time is over.

``python -m tests.host.monitor.fuzz KIND SECONDS FOLDER``; ends with 0 when all ended in a result or
in one line. An input that did not is kept in the folder, and given back to the check by
``run(desk, kind, 1).hypothesis.fuzz_one_input(data)``.
"""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["host"]):
    from host.face import image as pictures
    from tests.host.monitor.test_fuzz import PIXELS, Desk, run

SLOW_S, MOST_MB = 20, 4000
"""What takes longer, or more memory, is a failure."""


def main() -> None:
    """Fuzz until the time is over; libFuzzer ends the program."""
    kind, seconds, folder = sys.argv[1:]
    pictures.MAX_PIXELS = PIXELS
    check = run(Desk(Path(folder)), kind, 1)
    options = (f"-max_total_time={seconds}", f"-artifact_prefix={folder}/", f"-timeout={SLOW_S}",
               f"-rss_limit_mb={MOST_MB}", "-print_final_stats=1")  # fmt: skip
    atheris.Setup([sys.argv[0], *options], check.hypothesis.fuzz_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
