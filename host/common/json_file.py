# SPDX-License-Identifier: Apache-2.0
"""Reading a JSON object that a person or another program wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from host.common.errors import UserError


def read_object(path: Path, content: str = "") -> dict[str, Any]:
    """The JSON object in ``path``; UserError if there is none, told with what it should hold."""
    try:
        found = json.loads(path.read_text())
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise UserError(f"{path} is no JSON: {error}") from error
    except RecursionError as error:
        raise UserError(f"{path} is nested too deeply; give a plain JSON object") from error
    if not isinstance(found, dict):
        raise UserError(f"{path} holds no JSON object{content and f' of {content}'}")
    return found
