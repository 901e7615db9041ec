# SPDX-License-Identifier: Apache-2.0
"""JSON files, read and written in one way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from host.common.atomic import write_text
from host.common.errors import UserError


def read_json(path: Path) -> Any:
    """What ``path``, UTF-8 with or without a mark, holds; UserError if it is unread or no JSON."""
    try:
        return json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise UserError(f"{path} is no JSON: {error}") from error
    except RecursionError as error:
        raise UserError(f"{path} is nested too deeply; give a plain JSON object") from error


def read_object(path: Path, content: str = "") -> dict[str, Any]:
    """The JSON object in ``path``; UserError if there is none, told with what it should hold."""
    found = read_json(path)
    if not isinstance(found, dict):
        raise UserError(f"{path} holds no JSON object{content and f' of {content}'}")
    return found


def write_json(path: Path, content: object) -> None:
    """Write ``path`` in one step, an entry a line in the given order; raises as ``write_text``."""
    write_text(path, json.dumps(content, indent=1) + "\n")
