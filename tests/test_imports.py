# SPDX-License-Identifier: Apache-2.0
"""Imports run one way: model and build_flows on top, hw below, host the leaf."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

ALLOWED = {
    "host": (),
    "hw": ("host.common",),
    "model": ("host", "hw.ops"),
    "build_flows": ("host", "hw"),
}
"""What each package may import of the others: these modules and what is inside them."""


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
    for top in ALLOWED:
        for path in sorted((root / top).rglob("*.py")):
            name = module_name(path, root)
            package = name if path.stem == "__init__" else name.rpartition(".")[0]
            tree = ast.parse(path.read_text(), str(path))
            tree = tree if type_only else DropTypeOnly().visit(tree)
            for target in imported(tree, package):
                if target.split(".")[0] in ALLOWED:
                    yield name, target


def inside(name, module):
    return name == module or name.startswith(f"{module}.")


def forbidden(found):
    """Edges between packages that ALLOWED does not have."""
    return [
        f"{source} imports {target}"
        for source, target in found
        if (top := source.split(".")[0]) != target.split(".")[0]
        and not any(inside(target, module) for module in ALLOWED[top])
    ]


def two_way(found, modules):
    """Pairs of packages, and pairs of modules, that import one another."""
    pairs = set()
    for source, target in found:
        while target and target not in modules:  # a name in a module: the module
            target = target.rpartition(".")[0]
        pairs |= {(source, target), (source.split(".")[0], target.split(".")[0])}
    return sorted(f"{a} <-> {b}" for a, b in pairs if a < b and (b, a) in pairs)


def module_names(root):
    return {module_name(path, root) for top in ALLOWED for path in (root / top).rglob("*.py")}


def test_packages_import_only_what_is_below_them():
    found = list(edges(ROOT))
    assert {source.split(".")[0] for source, _ in found} == set(ALLOWED)  # it looked everywhere
    assert forbidden(found) == []


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
        hw__x="from host.common.errors import UserError\nimport host.common.errors",
        hw__ops__y="from . import base\nfrom ..x import f\nfrom .base import g",
        model__x="from host import draw\nfrom hw.ops.fifo import Fifo\nfrom hw import ops",
        build_flows__x="import hw\nfrom hw.generate import instance\nimport numpy, modelling",
    )
    assert forbidden(edges(root)) == []
    assert ("hw.ops.y", "hw.ops.base") in list(edges(root))
    assert ("hw.ops.y", "hw.x.f") in list(edges(root))


def test_two_way_pairs_are_found(tree):
    root = tree(
        hw__a="from hw.b import f",
        hw__b="def f():\n    import hw.a",
        hw__c="import model.x",
        model__x="from hw.ops import base",
        hw__ops__base="if TYPE_CHECKING:\n    import hw.ops.d",
        hw__ops__d="from hw.ops import base",
    )
    pairs = ["hw <-> model", "hw.a <-> hw.b"]
    assert two_way(edges(root, type_only=False), module_names(root)) == pairs
    assert two_way(edges(root), module_names(root)) == [*pairs, "hw.ops.base <-> hw.ops.d"]
