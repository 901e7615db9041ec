# SPDX-License-Identifier: Apache-2.0
"""``python -m docs_builder diagrams | figures | pages | check``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from docs_builder.diagrams import write_all
from docs_builder.figures import update
from docs_builder.pages import ROOT, broken, prose, tree_pages, write_pages

PAGES = ROOT / "build" / "docs" / "pages"


def _pages() -> list[Path]:
    """All that the site is built from."""
    from docs_builder.reference import write_reference

    written = write_pages(PAGES)
    (PAGES / "extra.css").write_bytes((Path(__file__).parent / "extra.css").read_bytes())
    return [*written, *write_reference(PAGES / "reference")]


def main(arguments: list[str] | None = None) -> int:
    """Make what was asked for; 1 if a link of a page leads nowhere or a line reads badly."""
    parser = argparse.ArgumentParser(prog="python -m docs_builder")
    commands = parser.add_subparsers(dest="what", required=True)
    commands.add_parser("diagrams", help="write docs/diagrams/*.svg")
    commands.add_parser("pages", help="put the pages of the site together in build/docs/pages")
    commands.add_parser("check", help="look for dead links and lines that read badly")
    tables = commands.add_parser("figures", help="write the tables of results in pages")
    tables.add_argument("reports", type=Path, nargs="*", help="report.json of builds, taken first")
    options = parser.parse_args(arguments)
    if options.what == "check":
        found = [line for path in tree_pages() for line in (*broken(path), *prose(path))]
        print("\n".join(found) or "all links lead somewhere, no line reads badly")
        return int(bool(found))
    if options.what == "figures":
        written = update(options.reports)
    else:
        written = write_all() if options.what == "diagrams" else _pages()
    print(f"{len(written)} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
