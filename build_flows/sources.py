# SPDX-License-Identifier: Apache-2.0
"""Which files of this program a function depends on, found in the text of its modules.

These are the modules that it names, all that they import, and the files in other languages beside
them: what a module calls ``Path(__file__).parent / "rtl"`` is read by whoever imports it. Packages
of others are not followed, their versions tell.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

from host.common.paths import ROOT

PACKAGES = ("host", "hw", "model", "build_flows")
LANGUAGES = (".sv", ".svh", ".v", ".hpp", ".h", ".cpp", ".tcl", ".xdc", ".html")
"""Endings of files that are part of the program; configurations are inputs, known by content."""


def modules_of(function: Callable[..., object]) -> set[str]:
    """Our modules that ``function``, or another of its own module that it calls, names."""
    found: set[str] = set()
    seen: set[object] = set()

    def follow(code: CodeType, names: dict[str, object], home: str) -> None:
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                follow(constant, names, home)
        for name in code.co_names:
            value = names.get(name)
            module = value.__name__ if isinstance(value, ModuleType) else _home(value)
            if module == home and isinstance(value, FunctionType) and value not in seen:
                seen.add(value)
                follow(value.__code__, names, home)
            elif module != home and module.split(".")[0] in PACKAGES:
                found.add(module)

    follow(function.__code__, function.__globals__, function.__module__)  # type: ignore[attr-defined]
    return found


def _home(value: object) -> str:
    home = getattr(value, "__module__", None)
    return home if isinstance(home, str) else ""


def files_of(modules: Iterable[str], root: Path = ROOT) -> list[Path]:
    """Files of ``modules``, of all they import and of the data beside them, sorted.

    ``root`` has the packages.
    """
    files: set[Path] = set()
    waiting = set(modules)
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        seen.add(name)
        path = module_file(name, root)
        if path is not None:
            tree = _parsed(path)
            files |= {path, *data_files(tree, path, root)}
            waiting |= set(imports(tree, name, path)) - seen
        if "." in name and name.rpartition(".")[0] not in seen:
            waiting.add(name.rpartition(".")[0])
    return sorted(files)


def module_file(name: str, root: Path) -> Path | None:
    """File of a module or package of ours; None where ``name`` is something in a module."""
    base = root.joinpath(*name.split("."))
    choices = (base / "__init__.py", base.with_suffix(".py"))
    return next((path for path in choices if path.is_file()), None)


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def imports(tree: ast.Module, name: str, path: Path) -> Iterator[str]:
    """Names of ours that the module ``name`` imports, anywhere in it.

    A package that names its ``__path__`` imports all modules that lie there.
    """
    if any(isinstance(node, ast.Name) and node.id == "__path__" for node in ast.walk(tree)):
        yield from (f"{name}.{file.stem}" for file in sorted(path.parent.glob("[!_]*.py")))
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")
            above = parents[: len(parents) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            found = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (target for target in found if target.split(".")[0] in PACKAGES)


def data_files(tree: ast.Module, path: Path, root: Path) -> Iterator[Path]:
    """Files of LANGUAGES that the module in ``path`` names by where it lies itself.

    A folder that it names, and that is no package, counts with all it has.
    """
    tops = [root / package for package in PACKAGES]
    for place in _places(tree, {"__file__": path, "ROOT": root}):
        if not any(place.is_relative_to(top) for top in tops) or (place / "__init__.py").is_file():
            continue
        files: Iterable[Path] = place.rglob("*") if place.is_dir() else [place]
        yield from (file for file in files if file.suffix in LANGUAGES and file.is_file())


def _places(tree: ast.Module, known: dict[str, Path]) -> list[Path]:
    """Every path in a module that follows from its text and what is ``known``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and (place := _place(node.value, known)):
            known |= {target.id: place for target in node.targets if isinstance(target, ast.Name)}
    found, waiting = [], list[ast.AST]([tree])
    while waiting:
        node = waiting.pop()
        place = _place(node, known) if isinstance(node, ast.expr) else None
        if place is None:
            waiting += ast.iter_child_nodes(node)
        else:  # the path as a whole: a folder on the way to a file is not read
            found.append(place)
    return found


def _place(node: ast.expr, known: dict[str, Path]) -> Path | None:
    """Path that an expression of pathlib gives; None where its text does not tell."""
    match node:
        case ast.Name(id=name):
            return known.get(name)
        case ast.Call(func=ast.Name(id="Path"), args=[inner]):
            return _place(inner, known)
        case ast.Call(func=ast.Attribute(value=inner, attr="resolve")):
            return _place(inner, known)
        case ast.Call(
            func=ast.Attribute(value=inner, attr="with_name"), args=[ast.Constant(value=str(name))]
        ):
            base = _place(inner, known)
            return base and base.with_name(name)
        case ast.Attribute(value=inner, attr="parent"):
            base = _place(inner, known)
            return base and base.parent
        case ast.Subscript(
            value=ast.Attribute(value=inner, attr="parents"), slice=ast.Constant(value=int(level))
        ):
            base = _place(inner, known)
            return base and base.parents[level]
        case ast.BinOp(left=inner, op=ast.Div(), right=ast.Constant(value=str(name))):
            base = _place(inner, known)
            return base and base / name
    return None
