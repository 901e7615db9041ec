# SPDX-License-Identifier: Apache-2.0
"""Writes faces in the layouts of WFLW and 300-W."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

FLAGS = "0 1 0 0 1 0"  #: expression and occlusion


def row(points: np.ndarray, name: str, spread: float | None = None) -> str:
    cells = [f"{v:.3f}" for v in points.reshape(-1)]
    low, high = np.nanmin(points, 0), np.nanmax(points, 0)
    box = " ".join(str(int(v)) for v in (*low, *high))
    end = "" if spread is None else f" {spread}"
    return f"{' '.join(cells)} {box} {FLAGS} {name}{end}"


def picture(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def write_pts(path: Path, points: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "\n".join(f"{x:.6f} {y:.6f}" for x, y in points + 1)
    path.write_text(f"version: 1\nn_points: {len(points)}\n{{\n{lines}\n}}\n")
