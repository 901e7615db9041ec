# SPDX-License-Identifier: Apache-2.0
"""Tables as text."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Mapping, Sequence


def to_csv(rows: Sequence[Mapping[str, object]]) -> str:
    """CSV with a header, of one or more rows with the same keys."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def to_markdown(heads: Collection[object], rows: Iterable[Iterable[object]]) -> str:
    """Markdown table, each line with its end."""
    lines: list[Iterable[object]] = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)
