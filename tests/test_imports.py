# SPDX-License-Identifier: Apache-2.0
"""Imports run one way: model and build_flows on top, hw below, host the leaf."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

ALLOWED = {
    "host.common": (),
    "host.face": ("host.common",),
    "host.power": ("host.common",),
    "host.drawn": ("host.common",),
    "host.board": ("host.common",),
    "host.backends": ("host.common", "host.board"),
    "host.monitor": ("host.common", "host.face", "host.drawn", "host.backends"),
    "host.api": ("host.common", "host.face", "host.backends", "host.monitor"),
    "host.outputs": ("host.common", "host.face", "host.backends"),
    "host.run": ("host.common", "host.face", "host.backends", "host.monitor", "host.outputs"),
    "host.bench": (
        "host.common", "host.face", "host.power", "host.drawn", "host.backends", "host.monitor",
    ),
    "host.comparison": ("host.common", "host.bench"),
    "hw.finn": ("host.common",),
    "hw.registers": ("host.common", "host.board"),
    "hw.axi_lite": (),
    "hw.rtl_order": (),
    "hw.rtl_files": ("hw.rtl_order",),
    "hw.generate": ("host.common", "hw.rtl_order"),
    "hw.ops": ("host.common", "host.board", "hw.rtl_order", "hw.generate"),
    "hw.units": ("host.common", "hw.finn", "hw.ops"),
    "hw.sources": ("host.common", "hw.rtl_files", "hw.ops"),
    "hw.lint": ("host.common", "hw.finn", "hw.rtl_order", "hw.rtl_files"),
    "hw.formal": ("host.common", "hw.rtl_order", "hw.rtl_files", "hw.generate", "hw.ops"),
    "hw.twin": ("host.common", "hw.ops", "hw.units"),
    "hw.hls_backend": ("hw.ops", "hw.twin"),
    "hw.synthesis": ("host.common", "hw.rtl_order", "hw.generate", "hw.ops", "hw.sources"),
    "model.network": ("host.common",),
    "model.faces": ("host.common", "host.face"),
    "model.data": ("host.common", "host.face", "model.faces"),
    "model.training": ("host.common", "host.face", "model.network", "model.faces", "model.data"),
    "model.export": ("host.common", "hw.ops", "model.network", "model.data"),
    "model.evaluation": (
        "host.common", "host.face", "host.monitor", "host.backends", "model.network", "model.faces",
        "model.data", "model.export",
    ),
    "model.compare": (
        "host.face", "model.network", "model.data", "model.training", "model.evaluation",
    ),
    "model.untrained": (
        "model.network", "model.data", "model.training", "model.export",
    ),
    "model.options": (),
    "model.host_commands": (
        "host.common", "host.face", "host.backends", "host.monitor", "model.data", "model.training",
        "model.evaluation", "model.options",
    ),
    "model.__main__": (
        "host.common", "model.network", "model.faces", "model.data", "model.training",
        "model.export", "model.evaluation", "model.compare", "model.untrained", "model.options",
        "model.host_commands",
    ),
    "build_flows.checked": ("host.common",),
    "build_flows.parts": ("host.common", "hw.ops"),
    "build_flows.config": ("host.common", "build_flows.checked", "build_flows.parts"),
    "build_flows.graph": ("host.common", "hw.ops", "hw.units", "build_flows.config"),
    "build_flows.design": (
        "host.common", "host.board", "hw.finn", "hw.registers", "hw.axi_lite", "hw.rtl_order",
        "hw.rtl_files",
        "hw.generate", "hw.ops", "hw.sources", "hw.units", "build_flows.config",
        "build_flows.parts", "build_flows.graph",
    ),
    "build_flows.sources": ("host.common",),
    "build_flows.flow": (
        "host.common", "build_flows.parts", "build_flows.config", "build_flows.sources",
        "build_flows.design",
    ),
    "build_flows.explore": (
        "host.common", "host.board", "hw.ops", "hw.units", "build_flows.checked",
        "build_flows.parts", "build_flows.graph",
    ),
    "build_flows.board": (
        "host.common", "host.board", "hw.finn", "hw.axi_lite", "hw.rtl_order", "hw.rtl_files",
        "hw.generate",
        "build_flows.design", "build_flows.flow",
    ),
    "build_flows.cpp": (
        "host.common", "hw.finn", "hw.units", "hw.twin", "build_flows.config",
        "build_flows.graph", "build_flows.design", "build_flows.board",
    ),
    "build_flows.synthesise": (
        "host.common", "hw.ops", "hw.sources", "hw.units", "hw.synthesis", "build_flows.config",
        "build_flows.design", "build_flows.flow", "build_flows.explore",
    ),
    "build_flows.timing": ("host.common", "build_flows.explore"),
    "build_flows.report": (
        "host.common", "host.board", "host.face", "hw.ops", "hw.units", "build_flows.config",
        "build_flows.parts", "build_flows.graph", "build_flows.design", "build_flows.flow",
        "build_flows.explore", "build_flows.synthesise", "build_flows.timing",
    ),
    "build_flows.steps": (
        "host.common", "host.board", "hw.ops", "build_flows.graph", "build_flows.design",
        "build_flows.flow", "build_flows.cpp", "build_flows.synthesise", "build_flows.report",
    ),
    "build_flows.build": (
        "host.common", "host.board", "host.backends", "build_flows.config", "build_flows.parts",
        "build_flows.design",
        "build_flows.flow", "build_flows.explore", "build_flows.board", "build_flows.cpp",
        "build_flows.synthesise", "build_flows.report", "build_flows.steps",
    ),
    "build_flows.new": (
        "host.common", "host.face", "build_flows.config", "build_flows.graph",
        "build_flows.explore", "build_flows.steps",
    ),
    "build_flows.sweep": (
        "host.common", "build_flows.checked", "build_flows.parts", "build_flows.config",
        "build_flows.sources", "build_flows.flow", "build_flows.explore", "build_flows.build",
    ),
    "build_flows.table": (
        "host.common", "build_flows.config", "build_flows.flow", "build_flows.build",
        "build_flows.new",
    ),
    "build_flows.__main__": (
        "host.common", "build_flows.config", "build_flows.design", "build_flows.flow",
        "build_flows.explore", "build_flows.board", "build_flows.report", "build_flows.steps",
        "build_flows.build", "build_flows.new", "build_flows.sweep", "build_flows.table",
        "build_flows.timing",
    ),
}  # fmt: skip
"""The rooms of the house - sub-packages, and modules that stand alone - and what each may import.

A room imports only rooms above it in this table, so there is no cycle. docs/architecture.md has the
picture of this table; ``python -m tests.test_imports`` draws it anew.
"""

TOPS = ("host", "hw", "model", "build_flows")
PAGE = ROOT / "docs" / "architecture.md"
MARKS = "<!-- rooms -->\n", "<!-- end of rooms -->\n"


def module_name(path, root):
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


class DropTypeOnly(ast.NodeTransformer):
    """Removes ``if TYPE_CHECKING:`` blocks, which never run."""

    def visit_If(self, node):
        only_types = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        return node.orelse if only_types else self.generic_visit(node)


def imported(tree, package):
    """Dotted names that a module in ``package`` imports, anywhere in it, relative ones resolved.

    ``from a import b`` gives ``a.b``, for b may be a module.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*(above if node.level else []), *filter(None, [node.module])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def edges(root, type_only=True):
    """(importing module, imported name) among our packages, also those for type checkers only."""
    for top in TOPS:
        for path in sorted((root / top).rglob("*.py")):
            name = module_name(path, root)
            package = name if path.stem == "__init__" else name.rpartition(".")[0]
            tree = ast.parse(path.read_text(), str(path))
            tree = tree if type_only else DropTypeOnly().visit(tree)
            for target in imported(tree, package):
                if target.split(".")[0] in TOPS:
                    yield name, target


def room_of(name):
    """The room of a module or of a name in it: two levels, or one for a package's own module."""
    return ".".join(name.split(".")[:2])


def forbidden(found):
    """Edges between rooms that ALLOWED does not have."""
    return [
        f"{source} imports {target}"
        for source, target in found
        if (room := room_of(source)) != (other := room_of(target))
        and other not in ALLOWED.get(room, ())
    ]


def two_way(found, modules):
    """Pairs of modules that import one another."""
    pairs = set()
    for source, target in found:
        while target and target not in modules:  # a name in a module: the module
            target = target.rpartition(".")[0]
        pairs.add((source, target))
    return sorted(f"{a} <-> {b}" for a, b in pairs if a < b and (b, a) in pairs)


def module_names(root):
    return {module_name(path, root) for top in TOPS for path in (root / top).rglob("*.py")}


def shortest(table):
    """The edges of ``table`` that no longer way through it has; what all import is left out."""
    below = {}
    for room, direct in table.items():
        below[room] = set(direct).union(*(below[other] for other in direct))
    return {
        room: [d for d in direct if not any(d in below[other] for other in direct)]
        for room, direct in table.items()
    }


def box(room):
    """Name of a room in the drawing, where a package's own module differs from the package."""
    return room.replace("__main__", "commands") if "." in room else f"{room}.init"


def drawing():
    """The table as a Mermaid chart: a box a package, an arrow from a room to what it imports."""
    lines = ["```mermaid", "flowchart BT"]
    for top in TOPS:
        lines.append(f"  subgraph {top}")
        for room in ALLOWED:
            if room.split(".")[0] == top:
                label = room.removeprefix(f"{top}.").replace("__main__", "commands")
                lines.append(f'    {box(room)}["{label}"]')
        lines.append("  end")
    for room, others in shortest(ALLOWED).items():
        for other in others:
            lines.append(f"  {box(room)} --> {box(other)}")
    return "\n".join([*lines, "```"]) + "\n"


def page_parts():
    """docs/architecture.md before, inside of and after the drawing."""
    before, rest = PAGE.read_text().split(MARKS[0])
    inside, after = rest.split(MARKS[1])
    return before, inside, after


def test_rooms_import_only_what_is_above_them():
    seen = []
    for room, others in ALLOWED.items():
        assert set(others) <= set(seen), room
        seen.append(room)


def test_imports_are_in_the_table():
    found = list(edges(ROOT))
    assert {source.split(".")[0] for source, _ in found} == set(TOPS)  # it looked everywhere
    assert forbidden(found) == []


def test_the_table_has_nothing_that_is_not_used():
    used = {(room_of(source), room_of(target)) for source, target in edges(ROOT)}
    assert [(a, b) for a, others in ALLOWED.items() for b in others if (a, b) not in used] == []


def test_the_page_draws_the_table():
    assert page_parts()[1] == drawing(), "python -m tests.test_imports draws it anew"


def test_nothing_imports_one_another():
    assert two_way(edges(ROOT, type_only=False), module_names(ROOT)) == []


@pytest.fixture
def tree(tmp_path):
    """Function that writes a source tree from paths and texts."""

    def write(**sources):
        for name, text in sources.items():
            path = tmp_path / (name.replace("__", "/") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("where", "text", "complaint"),
    [
        ("host__run", "import model", "host.run imports model"),
        ("host__a__b", "def f():\n    from hw.ops import base", "host.a.b imports hw.ops.base"),
        ("host__face__x", "from host.board import device", "host.face.x imports host.board.device"),
        ("host__new__x", "import host.common", "host.new.x imports host.common"),
        ("hw__x", "from host.face import draw", "hw.x imports host.face.draw"),
        ("hw__x", "import host", "hw.x imports host"),
        ("hw__x", "import host.common_of_others", "hw.x imports host.common_of_others"),
        ("model__x", "from hw.generate import instance", "model.x imports hw.generate.instance"),
        ("model__x", "from hw import ops_new", "model.x imports hw.ops_new"),
        ("model__x", "from build_flows import flow as f", "model.x imports build_flows.flow"),
        ("hw__x", "if TYPE_CHECKING:\n    import model", "hw.x imports model"),
        ("build_flows__x", "import model.graph", "build_flows.x imports model.graph"),
    ],
)
def test_a_forbidden_import_is_found(tree, where, text, complaint):
    assert forbidden(edges(tree(**{where: text}))) == [complaint]


def test_allowed_imports_pass(tree):
    root = tree(
        hw__generate="from host.common.errors import UserError\nimport host.common.errors",
        hw__ops__y="from . import base\nfrom ..generate import f\nfrom .base import g",
        model__export__x="from host import common\nfrom hw.ops.fifo import F\nfrom hw import ops",
        build_flows__design__x="from hw.generate import instance\nimport numpy, modelling",
    )
    assert forbidden(edges(root)) == []
    assert ("hw.ops.y", "hw.ops.base") in list(edges(root))
    assert ("hw.ops.y", "hw.generate.f") in list(edges(root))


def test_two_way_pairs_are_found(tree):
    root = tree(
        hw__a="from hw.b import f",
        hw__b="def f():\n    import hw.a",
        hw__c="import hw.a",
        hw__ops__base="if TYPE_CHECKING:\n    import hw.ops.d",
        hw__ops__d="from hw.ops import base",
    )
    pairs = ["hw.a <-> hw.b"]
    assert two_way(edges(root, type_only=False), module_names(root)) == pairs
    assert two_way(edges(root), module_names(root)) == [*pairs, "hw.ops.base <-> hw.ops.d"]


if __name__ == "__main__":
    before, _, after = page_parts()
    PAGE.write_text(before + MARKS[0] + drawing() + MARKS[1] + after)
