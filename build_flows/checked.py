# SPDX-License-Identifier: Apache-2.0
"""Values that come from a file, against the types of the dataclass that they are for."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from host.common.errors import UserError

WORDS: dict[Any, str] = {
    str: "a text",
    int: "a whole number",
    float: "a finite number",
    bool: "true or false",
    Path: "the path of a file",
    Any: "a value",
}


def check_types(values: object, where: str) -> None:
    """UserError for the first field of the dataclass ``values`` that is not of its type.

    A whole number does for a float, true and false for no number; numbers are finite. ``where``
    says whose values they are.
    """
    for name, kind in get_type_hints(type(values)).items():
        value = getattr(values, name)
        if not _is(value, kind):
            raise UserError(f"{name}={value!r} in {where}; give {_said(kind)}")


def _is(value: object, kind: Any) -> bool:
    inner = get_args(kind)
    if kind is Any:
        return True
    if isinstance(kind, UnionType):
        return any(_is(value, one) for one in inner)
    if get_origin(kind) is tuple:
        return isinstance(value, tuple) and all(_is(each, inner[0]) for each in value)
    if get_origin(kind) is Mapping:
        return isinstance(value, Mapping) and all(_is(each, inner[1]) for each in value.values())
    if isinstance(value, bool):
        return kind is bool
    if kind is float:
        return isinstance(value, (int, float)) and abs(value) <= sys.float_info.max
    return isinstance(value, kind)


def _said(kind: Any) -> str:
    inner = get_args(kind)
    if isinstance(kind, UnionType):
        return " or ".join(_said(one) for one in inner if one is not NoneType)
    if get_origin(kind) is tuple:
        return f"a list, each {_said(inner[0])}"
    if get_origin(kind) is Mapping:
        return f"a table, each {_said(inner[1])}"
    return WORDS[kind]
