# SPDX-License-Identifier: Apache-2.0
"""The grid head: for each landmark and each cell of the last map a score and an offset.

A cell is 8x8 input pixels. Channel 3 * i of the map is the score of landmark i, 3 * i + 1 and
3 * i + 2 are its offsets in x and y from the middle of the cell, in cells. The landmark lies where
the cell of the largest score says, moved towards where that of the second largest says: half way
where both scores are equal, half of that for each 1 by which they differ. (That is close to the
mean of the two by their softmax, and shifts make it.) Of equal scores the first in raster order is
the larger one. The scores of a landmark share one channel, so that integer accumulators have the
same order.

Training takes the cells as a mixture (Jacobs et al., "Adaptive mixtures of local experts", 1991):
each is right with the softmax of its score, and its point scatters around its answer.
"""

from __future__ import annotations

import torch
from torch import Tensor

CELL = 8  #: input pixels of a cell's side
PARTS = 3  #: channels of a landmark: score, x, y
SCATTER = 2.0  #: pixels, scale of the Laplace distribution around a cell's answer


def split(cells: Tensor) -> tuple[Tensor, Tensor]:
    """Scores (B, P, H * W) and answers (B, P, 2, H * W), fractions, of cells (B, 3 P, H, W)."""
    batch, channels, height, width = cells.shape
    parts = cells.reshape(batch, channels // PARTS, PARTS, height * width)
    scores, offsets = parts.split((1, 2), 2)
    return scores.squeeze(2), (offsets + middles(cells)) / sides(cells)


def sides(cells: Tensor) -> Tensor:
    """Width and height of the crop (2, 1), in cells."""
    height, width = cells.shape[2:]
    return torch.tensor([[width], [height]], dtype=cells.dtype, device=cells.device)


def middles(cells: Tensor) -> Tensor:
    """Middle of each cell (2, H * W), x and y, in cells."""
    height, width = cells.shape[2:]
    rows = torch.arange(height, dtype=cells.dtype, device=cells.device) + 0.5
    columns = torch.arange(width, dtype=cells.dtype, device=cells.device) + 0.5
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([x, y]).flatten(1)


def decode(cells: Tensor) -> Tensor:
    """Landmarks (B, 2 P), fractions of the crop, of cells (B, 3 P, H, W)."""
    return decided(*split(cells)).flatten(1)


def decided(scores: Tensor, answers: Tensor) -> Tensor:
    """Landmarks (B, P, 2), fractions, of the best two cells; both arguments from ``split``."""
    best = scores.argmax(2, keepdim=True)
    second = scores.scatter(2, best, -torch.inf).argmax(2, keepdim=True)
    both = torch.cat([best, second], 2)
    high, low = scores.gather(2, both).unbind(2)
    place, other = answers.gather(3, both[:, :, None].expand(-1, -1, 2, -1)).unbind(3)
    return place + (other - place) * (0.5 ** (1 + high - low))[..., None]


def mixture_terms(scores: Tensor, answers: Tensor, true: Tensor, size: int) -> Tensor:
    """Negative logarithm of the likelihood of each point (B, P), up to a constant.

    scores, answers: what ``split`` gives; true: (B, P, 2), fractions; size: pixels of the crop.
    """
    distance = (answers - true[..., None]).abs().sum(2) * (size / SCATTER)
    return -(scores.log_softmax(2) - distance).logsumexp(2)
