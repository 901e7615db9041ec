# SPDX-License-Identifier: Apache-2.0
"""Reference pages that nobody writes: API from docstrings, commands from ``--help``, registers."""

from __future__ import annotations

import ast
import contextlib
import importlib
import io
import os
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from docs_builder.pages import ROOT

SIGNATURE = 84  #: characters of a signature on one line
PACKAGES = ("host", "hw", "model", "build_flows")
Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
SECTION = re.compile(r"^(Args|Arguments|Returns|Raises|Yields|Attributes|Example):\s*$")


def markdown_of(docstring: str) -> str:
    """A docstring as Markdown: literals, and its sections as lists."""
    lines: list[str] = []
    inside = False
    for raw in docstring.replace("``", "`").split("\n"):
        line = raw.strip()
        if match := SECTION.match(line):
            lines += ["", f"*{match[1]}*", ""]
            inside = True
        elif inside and raw.startswith("    ") and not raw.startswith("     "):
            name, colon, rest = line.partition(": ")
            lines.append(f"- `{name}`: {_escaped(rest)}" if colon else f"- {_escaped(line)}")
        elif inside and line:
            lines.append(f"  {_escaped(line)}")
        else:
            inside = inside and bool(raw[:1].isspace() or not line)
            lines.append(_escaped(line))
    return "\n".join(lines)


def _escaped(text: str) -> str:
    """Markdown's and HTML's marks taken from text outside of literals."""
    pieces = re.split(r"(`[^`]*`)", text)
    pieces[::2] = [re.sub(r"([*_\[\]<>|])", r"\\\1", piece) for piece in pieces[::2]]
    return "".join(pieces)


def _public(body: list[ast.stmt]) -> Iterator[ast.ClassDef | ast.FunctionDef]:
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            yield node


def signature(node: ast.FunctionDef) -> str:
    """Name, arguments and result; one argument a line where it would be long."""
    gives = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    line = f"{node.name}({ast.unparse(node.args)}){gives}"
    if len(line) <= SIGNATURE:
        return line
    return f"{node.name}(\n" + "".join(f"    {a},\n" for a in _arguments(node.args)) + f"){gives}"


def _arguments(args: ast.arguments) -> Iterator[str]:
    """Text of each argument, in order."""
    plain = [*args.posonlyargs, *args.args]
    missing = len(plain) - len(args.defaults)
    for index, arg in enumerate(plain):
        default = args.defaults[index - missing] if index >= missing else None
        yield ast.unparse(arg) + (f"={ast.unparse(default)}" if default else "")
        if index + 1 == len(args.posonlyargs):
            yield "/"
    if args.vararg or args.kwonlyargs:
        yield f"*{ast.unparse(args.vararg) if args.vararg else ''}"
    for arg, value in zip(args.kwonlyargs, args.kw_defaults, strict=True):
        yield ast.unparse(arg) + (f"={ast.unparse(value)}" if value else "")
    if args.kwarg:
        yield f"**{ast.unparse(args.kwarg)}"


def _fields(body: list[ast.stmt]) -> Iterator[str]:
    """Fields of a class with the string behind each."""
    for node, after in pairwise(body):
        text = after.value if isinstance(after, ast.Expr) else None
        if (
            isinstance(node, ast.AnnAssign)
            and isinstance(text, ast.Constant)
            and isinstance(text.value, str)
        ):
            words = " ".join(text.value.replace("``", "`").split())
            yield f"- `{ast.unparse(node)}`: {_escaped(words)}"


def _entry(node: ast.ClassDef | ast.FunctionDef, depth: int, within: str = "") -> Iterator[str]:
    kind = "class " if isinstance(node, ast.ClassDef) else ""
    yield f"{'#' * depth} {kind}`{within}{node.name}`\n"
    if isinstance(node, ast.FunctionDef):
        yield f"```python\n{signature(node)}\n```\n"
    yield markdown_of(ast.get_docstring(node) or "") + "\n"
    if isinstance(node, ast.ClassDef):
        fields = list(_fields(node.body))
        if fields:
            yield "\n".join(fields) + "\n"
        for method in _public(node.body):
            if ast.get_docstring(method):
                yield from _entry(method, depth + 1, f"{node.name}.")


def module_page(path: Path, root: Path = ROOT) -> str:
    """Page of a module: what it is, its public classes and functions."""
    tree = ast.parse(path.read_text())
    dotted = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
    entries = [line for node in _public(tree.body) for line in _entry(node, 2)]
    head = [f"# {dotted}\n", markdown_of(ast.get_docstring(tree) or "") + "\n"]
    return "\n".join([*head, *_offered(tree), *entries])


def _offered(tree: ast.Module) -> Iterator[str]:
    """Names of ``__all__`` that come from other modules, with these."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names = set(ast.literal_eval(node.value))
    rows = [
        f"- `{alias.name}` from `{node.module}`"
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name in names
    ]
    if rows:
        yield "Offers also:\n\n" + "\n".join(rows) + "\n"


def modules(root: Path = ROOT) -> list[Path]:
    """Modules with something public in them."""
    found = []
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            if path.name != "__main__.py" and any(_public(ast.parse(path.read_text()).body)):
                found.append(path)
    return found


def write_api(folder: Path, root: Path = ROOT) -> list[Path]:
    """One page for each module and an index."""
    written, rows = [], []
    for path in modules(root):
        relative = path.relative_to(root).with_suffix(".md")
        if relative.name == "__init__.md":
            relative = relative.with_name("package.md")
        target = folder / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(module_page(path, root))
        first = (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n")[0]
        rows.append(f"| [`{path.relative_to(root)}`]({relative.as_posix()}) | {_escaped(first)} |")
        written.append(target)
    index = folder / "index.md"
    head = (
        "# API\n\nMade from the docstrings. Names that begin with `_` are left out. To begin with: "
    )
    table = "| module | what |\n|---|---|\n" + "\n".join(rows)
    index.write_text(f"{head}[use from Python](../../api.md).\n\n{table}\n")
    return [*written, index]


# -- commands --------------------------------------------------------------------------------------

PARSERS = (
    ("python host/run.py", "host.run", "parse_arguments"),
    ("python host/bench.py", "host.bench", "parse_arguments"),
    ("python host/comparison.py", "host.comparison", "main"),
    ("python -m hw.lint", "hw.lint", "main"),
)
GROUPS = (("python -m model", "model.__main__", "main"),
          ("python -m build_flows", "build_flows.__main__", "cli"))  # fmt: skip


def help_of(module: str, function: str, program: str) -> str:
    """What ``--help`` prints of a command with argparse."""
    text = io.StringIO()
    os.environ["COLUMNS"] = "100"  # the width of the texts
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        getattr(importlib.import_module(module), function)(["--help"])
    return re.sub(r"usage: \S+", f"usage: {program}", text.getvalue(), count=1)


def commands_page() -> str:
    """All commands with their options."""
    import click

    parts = ["# Commands\n", "As `--help` prints them.\n"]
    for program, module, function in PARSERS:
        parts.append(
            f"## {program}\n\n```text\n{help_of(module, function, program).rstrip()}\n```\n"
        )
    for program, module, name in GROUPS:
        group = getattr(importlib.import_module(module), name)
        parts.append(f"## {program}\n\n{group.help}\n")
        for command in sorted(group.commands):
            context = click.Context(
                group.commands[command], info_name=f"{program} {command}", max_content_width=100,
                terminal_width=100,
            )  # fmt: skip
            text = group.commands[command].get_help(context)
            parts.append(f"### {command}\n\n```text\n{text.rstrip()}\n```\n")
    return "\n".join(parts)


# -- registers -------------------------------------------------------------------------------------

REGISTERS = re.compile(r"<!-- registers: .*? -->\n(.*?)<!-- registers", re.DOTALL)


def registers_page(root: Path = ROOT) -> str:
    """Both register maps, taken from the pages that ``python -m hw.registers`` writes."""
    parts = [
        "# Register map\n",
        "Described once in `host/board/registers.py`; AXI4-Lite, 32 bits.\n",
    ]
    for name in ("control_registers", "weight_port"):
        found = REGISTERS.search((root / "docs" / "kernels" / f"{name}.md").read_text())
        if found is None:
            raise ValueError(f"docs/kernels/{name}.md has no table of registers")
        table = re.sub(r"\]\((\w+)\.md\)", r"](../kernels/\1.md)", found[1])
        parts.append(f"## {name}\n\n{table}\nMore: [{name}](../kernels/{name}.md).\n")
    return "\n".join(parts)


def write_reference(folder: Path, root: Path = ROOT) -> list[Path]:
    """Write API, commands and registers below ``folder``."""
    written = write_api(folder / "api", root)
    for name, text in (("commands", commands_page()), ("registers", registers_page(root))):
        path = folder / f"{name}.md"
        path.write_text(text)
        written.append(path)
    return written
