# SPDX-License-Identifier: Apache-2.0
"""Compiler launcher that keeps the objects of Verilator's runtime.

Called as ``object_cache.py FOLDER c++ ... -o OBJECT SOURCE``. The runtime, ``verilated*.cpp``, is
the same in every simulator and takes longer to compile than a kernel. All else passes through;
cocotb's main program, too, includes what Verilator generated.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path


def main(folder: Path, command: list[str]) -> int:
    source = Path(command[-1])
    if not source.name.startswith("verilated") or "-o" not in command:
        return subprocess.call(command)
    target = Path(command[command.index("-o") + 1])
    cached = folder / f"{hashlib.sha256(' '.join(command).encode()).hexdigest()}.o"
    if not cached.exists():
        status = subprocess.call(command)
        if status:
            return status
        partial = cached.with_suffix(f".{os.getpid()}")
        shutil.copyfile(target, partial)
        partial.replace(cached)
    else:
        shutil.copyfile(cached, target)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), sys.argv[2:]))
