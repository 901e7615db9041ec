# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click


def read_roots(
    ctx: click.Context, option: click.Parameter, values: tuple[str, ...]
) -> dict[str, Path]:
    """Folders of the option --data SOURCE=FOLDER."""
    roots = {}
    for value in values:
        source, equals, folder = value.partition("=")
        if not equals or not Path(folder).is_dir():
            raise click.BadParameter(
                f"{value!r} is not SOURCE=FOLDER with an existing folder", ctx, option
            )
        roots[source] = Path(folder)
    return roots
