# SPDX-License-Identifier: Apache-2.0
"""Operators of our kernels; ONNX domain ``hw.ops``.

Every class in a module of this folder that is derived from :class:`hw.ops.base.KernelOp` is one:
qonnx finds it here under its name, as does ``from hw.ops import NAME``.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from hw.ops.base import KernelOp


@cache
def operators() -> dict[str, type[KernelOp]]:
    """All operators by name."""
    modules = [import_module(f"{__name__}.{info.name}") for info in iter_modules(__path__)]
    return {
        name: value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, KernelOp)
        and value.__module__ == module.__name__
        and value is not KernelOp
    }


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return list(operators())
    if name in operators():
        return operators()[name]
    raise AttributeError(f"module {__name__} has no attribute {name}")
