# SPDX-License-Identifier: Apache-2.0
"""Formatters and linters of SystemVerilog and C++: ``python -m hw.lint [--fix]``.

Verible formats and judges style, slang elaborates every module of hw/rtl with all its warnings,
clang-format formats the C++. One line a finding; ``--fix`` formats in place.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from host.common.errors import UserError
from hw.finn.environment import finn_rtl
from hw.rtl_files import RTL_FOLDER, files_of
from hw.rtl_order import in_order

ROOT = Path(__file__).parents[1]
FOLDERS = ("hw", "build_flows", "tests")
EXCEPTED = {"kl_registers_pkg.sv", "registers.h", "dsp48e2.sv"}
"""The first two are generated, the last is a vendor's primitive in the words of its guide."""
FOREIGN = ("add_multi",)  #: with FINN's interface and package: slang's usual warnings only
SYSTEMVERILOG, CPP = (".sv",), (".cpp", ".hpp", ".h")
PARAMETERS = {  #: without which a module does not elaborate
    "add_multi": "-G N=3 -G DEPTH=1 -G ARG_WIDTH=4",
    "kl_grid_peak": "-G 'STEP_FILE=\"steps.hex\"'",
    "kl_lookup": "-G 'START_FILE=\"starts\"' -G 'CODE_FILE=\"codes.hex\"'",
    "kl_requant": "-G 'PARAM_FILE=\"params.hex\"'",
    "kl_requant_add": "-G 'PARAM_FILE=\"params.hex\"'",
    "kl_weight_stream": "-G 'FILE=\"words.hex\"'",
}
WARNINGS = (
    "-Weverything -Wno-arith-op-mismatch -Wno-sign-conversion -Wno-sign-compare "
    "-Wno-packed-array-conv -Wno-useless-cast -Wno-unused-package-parameter "
    "-Wno-unused-package-subroutine -Wno-unused-package-typedef -Wno-unused-but-set-variable"
)
"""All of slang's but those on signs and widths that casts make plain, and on parts of a package
that one module does not use."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0 without findings."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fix", action="store_true", help="format in place")
    fix = parser.parse_args(arguments).fix
    verilog, cpp = files(SYSTEMVERILOG), files(CPP)
    if fix:
        flags = f"--flagfile={ROOT / '.verible-format'}"
        _run("verible-verilog-format", flags, "--inplace", *verilog)
        _run("clang-format", "-i", *cpp)
    found = [*style(verilog), *format_of_cpp(cpp), *elaboration()]
    for line in found:
        print(line)
    return int(bool(found))


def files(suffixes: Sequence[str]) -> list[Path]:
    """Files of the project with one of ``suffixes``, a few excepted."""
    found = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))
    return sorted(p for p in found if p.suffix in suffixes and p.name not in EXCEPTED)


def style(paths: Sequence[Path]) -> list[str]:
    """What Verible finds in SystemVerilog, format and rules."""
    flags, rules = ROOT / ".verible-format", ROOT / ".rules.verible_lint"
    found = []
    for path in paths:
        result = _run("verible-verilog-format", f"--flagfile={flags}", "--verify", path)
        if result.returncode:
            found.append(f"{path}: not formatted; run python -m hw.lint --fix\n{result.stderr}")
    return found + _lines(_run("verible-verilog-lint", f"--rules_config={rules}", *paths))


def format_of_cpp(paths: Sequence[Path]) -> list[str]:
    """What clang-format would change."""
    style = f"--style=file:{ROOT / '.clang-format'}"
    return _lines(_run("clang-format", style, "--dry-run", "--Werror", *paths))


def elaboration() -> Iterator[str]:
    """Modules of hw/rtl that slang refuses; what it says stands on stderr."""
    for path in RTL_FOLDER.glob("*.sv"):
        if path.stem.endswith("_pkg"):
            continue
        packages = [finn_rtl("mvu_pkg")] if path.stem in FOREIGN else []
        if not elaborates(path.stem, in_order([*packages, *files_of([path.stem])])):
            yield f"{path}: slang does not elaborate it"


def elaborates(module: str, sources: Sequence[Path]) -> bool:
    """Whether slang takes ``module`` without error or warning."""
    try:
        from pyslang import driver
    except ImportError as error:
        raise UserError("the Python package pyslang is missing; pip install it") from error
    slang = driver.Driver()
    slang.addStandardArgs()
    values, paths = PARAMETERS.get(module, ""), shlex.join(map(str, sources))
    warnings = WARNINGS if module not in FOREIGN else ""
    command = f"slang --std 1800-2017 {warnings} -Werror --top {module} {values} {paths}"
    ready = slang.parseCommandLine(command) and slang.processOptions()
    return bool(ready and slang.parseAllSources() and slang.runFullCompilation(True))


def _run(tool: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """A tool from the environment of this Python."""
    path = Path(sys.executable).with_name(tool)
    if not path.is_file():
        package = tool.partition("-verilog")[0]
        raise UserError(f"{tool} is missing; pip install {package}")
    command = [str(path), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _lines(result: subprocess.CompletedProcess[str]) -> list[str]:
    return (result.stdout + result.stderr).splitlines() if result.returncode else []


if __name__ == "__main__":
    sys.exit(main())
