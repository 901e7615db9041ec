# SPDX-License-Identifier: Apache-2.0
"""Figures of an evaluation as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def figure_lines(result: dict[str, Any], indent: str = "") -> Iterator[str]:
    """Lines of figures: the whole set, subsets, detected boxes, anchor."""
    name = f"{indent}{result.get('arithmetic', '')}".ljust(24)
    yield (
        f"{name}{result['faces']:5} faces  NME {result['nme']:.2f} %  "
        f"FR@10 {result['fr10']:.1f} %  AUC@10 {result['auc10']:.1f} %  "
        f"accuracy (100 - NME) {result['accuracy']:.2f} %"
    )
    yield from detail_lines(result, indent + "  ")
    parts = {**result.get("subsets", {}), "detected boxes": result.get("detected")}
    for key, value in parts.items():
        if value:
            yield from figure_lines({**value, "arithmetic": key}, indent + "  ")
    if anchor := result.get("anchor"):
        yield from figure_lines(anchor, indent)
    if count := result.get("csim_exact_faces"):
        yield f"C++ model: all integers equal on {count} faces"
    if other := result.get("compared"):
        yield from figure_lines(other, indent)
        mean, worst = other["difference"], other["largest"]
        yield f"NME differs by {mean:.4f} points, on the worst face by {worst:.4f}"


def detail_lines(result: dict[str, Any], indent: str) -> Iterator[str]:
    """Lines of the errors by region and yaw, and of eyelids and pupils, where they are known."""
    if regions := result.get("regions"):
        yield indent + "  ".join(f"{name} {nme:.2f}" for name, nme in regions.items())
    if turns := result.get("yaw"):
        cells = [f"{name} {part['nme']:.2f} ({part['faces']})" for name, part in turns.items()]
        yield f"{indent}yaw in degrees: {'  '.join(cells)}"
    if lids := result.get("eyelids"):
        yield f"{indent}eyelids: {lids_text(lids)}"
        if seen := lids.get("seen"):
            yield f"{indent}eyelids of the eyes that are seen: {lids_text(seen)}"
    if pupils := result.get("pupils"):
        cells = [f"{axis} {axis_text(pupils[axis])}" for axis in ("along", "across")]
        yield f"{indent}pupils of {pupils['faces']} faces: {'; '.join(cells)}"


def axis_text(figures: dict[str, float]) -> str:
    """Figures of the pupils along or across the eye."""
    return ", ".join(f"{name} {value:.2f}" for name, value in figures.items())


def lids_text(figures: dict[str, Any]) -> str:
    """How eyelids follow, with the AUC of closed eyes and its interval where there are any."""
    text = f"slope {figures['slope']:.2f}  correlation {figures['correlation']:.2f}"
    if "auc" not in figures:
        return text
    low, high = figures.get("interval", (figures["auc"],) * 2)
    auc = f"{figures['auc']:.3f} ({low:.3f}-{high:.3f})"
    return f"{text}  AUC of {figures['closed']} closed eyes {auc}"
