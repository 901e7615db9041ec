# SPDX-License-Identifier: Apache-2.0
"""Puts the pages of the tree together for the site, with links that lead somewhere on it.

In the tree a page links to sources, to READMEs of other folders, to pictures. On the site READMEs
are pages of their own, and a source is shown as text under ``source/``.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from host.common.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
ELSEWHERE = {
    "README.md": "index.md",
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "hw/README.md": "kernels/index.md",
    "host/face/detect/weights/README.md": "project/blazeface.md",
    "host/face/weights/README.md": "project/eyes.md",
    "model/zoo/README.md": "models.md",
    "overlays/README.md": "overlays.md",
}
"""Pages that do not lie in docs/, and where the site has them."""

LINK = re.compile(r"`[^`\n]+`|(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
CODE = re.compile(r"(^```.*?^```|^ {4}[^\n]*$)", re.MULTILINE | re.DOTALL)
PICTURES = (".svg", ".png", ".jpg")


def page_of(path: str) -> str | None:
    """Place on the site of a page of the tree; None for what is no page."""
    if path.startswith("docs/") and path.endswith(".md"):
        return path.removeprefix("docs/")
    return ELSEWHERE.get(path)


def tree_pages(root: Path = ROOT) -> Iterator[str]:
    """Paths of all pages, from the root of the tree."""
    for path in sorted((root / "docs").rglob("*.md")):
        yield path.relative_to(root).as_posix()
    yield from (path for path in ELSEWHERE if (root / path).is_file())


def links(text: str) -> Iterator[str]:
    """Targets of the links and pictures of a page that are no addresses."""
    for piece in CODE.split(text)[::2]:
        for match in LINK.finditer(piece):
            if match[3] and not re.match(r"[a-z]+:", match[3]):
                yield match[3]


def anchors(text: str) -> set[str]:
    """Anchors of a page's headings, as GitHub and the site make them."""
    plain = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ +(.+?) *$", plain, re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", title.lower()).strip() for title in titles)
    return {re.sub(r"[ ]", "-", title) for title in kept}


def broken(path: str, root: Path = ROOT) -> list[str]:
    """Links of a page that lead nowhere, one line each."""
    text, found = (root / path).read_text(), []
    for link in links(text):
        name, _, anchor = link.partition("#")
        target = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
        if not (root / target).exists():
            found.append(f"{path}: {link} leads to nothing")
        elif anchor and anchor not in anchors((root / target).read_text()):
            found.append(f"{path}: {target} has no heading #{anchor}")
    return found


WIDE = 120  #: longest line of text; tables and code may be longer
IDIOM = re.compile(
    r"\b((?:frames|images) a second|(?:cycles|iterations) a frame|words? a cycle"
    r"|(?:bits|multiplications) a cycle|pixels? a weight|byte a weight)\b"
)


def prose(path: str, root: Path = ROOT) -> list[str]:
    """What reads badly on a page: overlong lines, and "a" where "per" is meant."""
    found = []
    for piece in CODE.split((root / path).read_text())[::2]:
        for line in piece.splitlines():
            if len(line) > WIDE and not line.startswith(("|", "![", "<!--", "[")):
                found.append(f"{path}: {len(line)} characters in a line: {line[:60]}...")
        for match in IDIOM.finditer(" ".join(piece.split())):
            found.append(f"{path}: {match[1]}: per is meant")
    return found


def site_text(path: str, root: Path = ROOT) -> tuple[str, set[str]]:
    """Text of a page as the site shows it, and the files of the tree that it shows as text.

    Raises:
        UserError: a link leads nowhere.
    """
    here = page_of(path)
    if here is None:
        raise UserError(f"{path} is no page of the site; name it in docs_builder/pages.py")
    sources: set[str] = set()

    def replace(match: re.Match[str]) -> str:
        mark, text, link = match.groups()
        if link is None:  # a literal
            return match[0]
        name, _, anchor = link.partition("#")
        if not name or re.match(r"[a-z]+:", link):
            return match[0]
        target = os.path.normpath(os.path.join(os.path.dirname(path), name))
        if (root / target).is_dir():
            return str(text)
        place = page_of(target)
        if place is None and target.startswith("docs/") and target.endswith(PICTURES):
            place = target.removeprefix("docs/")
        if place is None:
            if not (root / target).is_file():
                raise UserError(f"{path} links to {link}, which is not there")
            sources.add(target)
            place = f"source/{target}.txt"
        relative = os.path.relpath(place, os.path.dirname(here) or ".")
        return f"{mark}[{text}]({relative}{'#' + anchor if anchor else ''})"

    pieces = CODE.split((root / path).read_text())
    pieces[::2] = [_bars(LINK.sub(replace, piece)) for piece in pieces[::2]]
    pieces[1::2] = [_edges(piece) for piece in pieces[1::2]]
    return "".join(pieces), sources


def _edges(block: str) -> str:
    """A Mermaid chart as a table of what each node leads to; other blocks as they are.

    The site is read without a network too, where Mermaid's program is not to be had.
    """
    if not block.startswith("```mermaid"):
        return block
    leads: dict[str, list[str]] = {}
    for source, target in re.findall(r"^ *(\S+) --> (\S+)$", block, re.MULTILINE):
        leads.setdefault(source, []).append(f"`{target}`")
    rows = [f"| `{source}` | {', '.join(targets)} |" for source, targets in leads.items()]
    return "\n".join(["| room | an arrow leads to |", "|---|---|", *rows])


def _bars(text: str) -> str:
    """Bars of literals in tables, which GitHub wants escaped and the site does not."""
    return re.sub(r"`[^`\n]+`", lambda match: match[0].replace("\\|", "|"), text)


def write_pages(folder: Path, root: Path = ROOT) -> list[Path]:
    """Write all pages, pictures and linked sources into ``folder``, which is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    written, shown = [], set[str]()
    for path in tree_pages(root):
        text, sources = site_text(path, root)
        shown |= sources
        target = folder / str(page_of(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        written.append(target)
    for picture in (root / "docs").rglob("*"):
        if picture.suffix in PICTURES:
            target = folder / picture.relative_to(root / "docs")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(picture, target)
    for source in sorted(shown):
        target = folder / "source" / f"{source}.txt"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / source, target)
    return written
