# SPDX-License-Identifier: Apache-2.0
"""Pages of the site: links, anchors, reference, and what is refused."""

import ast
import re

import pytest
import yaml

from docs_builder import reference
from docs_builder.pages import (
    ELSEWHERE,
    ROOT,
    anchors,
    broken,
    page_of,
    prose,
    site_text,
    tree_pages,
)
from host.common.errors import UserError

PAGES = list(tree_pages())


class Loader(yaml.SafeLoader):
    """Takes mkdocs.yml without importing what it names."""


Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, suffix, node: suffix)


def nav(node):
    """All files that a navigation names."""
    if isinstance(node, str):
        yield node
    else:
        for item in node.values() if isinstance(node, dict) else node:
            yield from nav(item)


@pytest.mark.parametrize("path", PAGES)
def test_links_lead_somewhere(path):
    assert broken(path) == []


def test_broken_links_are_named(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# One\n[x](b.md) [y](a.md#two) [z](#one) `[c](d)`\n")
    assert broken("docs/a.md", tmp_path) == [
        "docs/a.md: b.md leads to nothing",
        "docs/a.md: docs/a.md has no heading #two",
    ]
    (tmp_path / "docs" / "a.md").write_text("[`x`](../no.py)")
    assert broken("docs/a.md", tmp_path) == ["docs/a.md: ../no.py leads to nothing"]
    with pytest.raises(UserError, match=r"docs/a.md links to ../no.py, which is not there"):
        site_text("docs/a.md", tmp_path)
    with pytest.raises(UserError, match=r"x.md is no page of the site"):
        site_text("x.md", tmp_path)


def test_prose_that_reads_badly_is_named(tmp_path):
    text = "ten frames a\nsecond\n" + "x" * 151 + "\n| " + "y" * 200 + " |\n    words a cycle\n"
    (tmp_path / "a.md").write_text(text)
    assert prose("a.md", tmp_path) == [
        f"a.md: 151 characters in a line: {'x' * 60}...",
        "a.md: frames a second: per is meant",
    ]


def test_anchors_are_those_of_github():
    text = "# The `x` of A-b, and c\n```\n# no\n```\n## 1. Two words\n"
    assert anchors(text) == {"the-x-of-a-b-and-c", "1-two-words"}


def test_links_on_the_site():
    text, sources = site_text("docs/kernels/dense.md")
    assert "](../source/hw/rtl/kl_dense.sv.txt)" in text
    assert "](../costs.md)" in text
    assert "hw/rtl/kl_dense.sv" in sources
    assert "`--rotate 90|180|270`" in site_text("docs/monitor.md")[0]
    assert (
        "| `host.monitor` | `host.face`, `host.drawn`, `host.backends` |"
        in (site_text("docs/architecture.md")[0])
    )
    assert "](kernels/index.md)" in site_text("README.md")[0]


def test_every_page_of_the_navigation_is_there_and_every_page_is_in_it():
    config = yaml.load((ROOT / "docs_builder" / "mkdocs.yml").read_text(), Loader)
    named = set(nav(config["nav"]))
    made = {page_of(path) for path in PAGES}
    assert {page for page in named if not page.startswith("reference/")} <= made
    left = {page for page in made - named if not page.startswith("kernels/")}
    assert left == {"project/blazeface.md", "project/eyes.md"}  # linked from the host's page


@pytest.mark.parametrize("path", ELSEWHERE)
def test_pages_elsewhere_are_there(path):
    assert (ROOT / path).is_file()


def test_every_kernel_has_a_page_that_its_table_links():
    table = (ROOT / "hw" / "README.md").read_text()
    for page in (ROOT / "docs" / "kernels").glob("*.md"):
        assert f"](../docs/kernels/{page.name})" in table


def test_a_docstring_as_markdown():
    text = "Do *it* to ``x_y``.\n\nArgs:\n    a: one of <n>,\n        in mm.\n\n"
    text += "Raises:\n    UserError: no."
    assert reference.markdown_of(text) == (
        "Do \\*it\\* to `x_y`.\n\n\n*Args*\n\n- `a`: one of \\<n\\>,\n  in mm.\n\n"
        "\n*Raises*\n\n- `UserError`: no."
    )


def test_the_page_of_a_module():
    page = reference.module_page(ROOT / "build_flows" / "config.py")
    assert page.startswith("# build_flows.config\n")
    assert "## class `BuildConfig`" in page
    assert "- `clk_mhz: float = 250.0`: Clock assumed" in page
    assert "## `load_config`" in page
    assert "_located" not in page


def test_a_module_that_offers_what_others_define():
    page = reference.module_page(ROOT / "host" / "api.py")
    assert "- `Landmarker` from `host.face.landmarker`" in page
    assert "## `open_backend`" in page


def test_a_long_signature_has_one_argument_a_line():
    long = "c: str = 'xxxxxxxxxxxxxxxxxxxxxxxxxxxx'"
    source = f"def f(a: dict[str, int], *, b: tuple[int, ...] = (1, 2), {long}) -> None: ..."
    text = reference.signature(ast.parse(source).body[0])
    assert text.split("\n") == [
        "f(", "    a: dict[str, int],", "    *,", "    b: tuple[int, ...]=(1, 2),",
        "    c: str='xxxxxxxxxxxxxxxxxxxxxxxxxxxx',", ") -> None",
    ]  # fmt: skip


def test_the_page_of_registers_has_both_maps():
    page = reference.registers_page()
    assert "`MAGIC`" in page
    assert "`CHECKSUM`" in page
    assert all((ROOT / "docs" / "kernels" / name).is_file()
               for name in re.findall(r"\]\(\.\./kernels/([\w.]+)\)", page))  # fmt: skip


def test_help_of_a_command():
    text = reference.help_of("host.comparison", "main", "python host/comparison.py")
    assert text.startswith("usage: python host/comparison.py")
    assert "--build FILE" in text
