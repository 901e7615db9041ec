# SPDX-License-Identifier: Apache-2.0
"""The grid head: what cells say, its loss by hand, the network around it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from model.__main__ import main
from model.network import grid
from model.network.checkpoint import load_network, save
from model.network.pfld import PFLD, count_macs, freeze_statistics
from tests.model.samples import random_network

SMALL = {"width": 0.125, "stem": "depthwise", "head": "grid"}


def two_points() -> torch.Tensor:
    """Cells (1, 6, 2, 4): point 0 in row 1, column 2, with an offset; all of point 1 are equal."""
    cells = torch.zeros(1, 6, 2, 4)
    cells[0, 0, 1, 2] = 5.0
    cells[0, 1, 1, 2], cells[0, 2, 1, 2] = 0.25, -1.0
    return cells


def test_the_best_cell_decides_and_of_equal_ones_the_first_two() -> None:
    cells = two_points()
    cells[0, 0, 1, 2] = 50.0
    found = grid.decode(cells).view(2, 2)
    torch.testing.assert_close(found[0], torch.tensor([2.75 / 4, 0.5 / 2]))
    torch.testing.assert_close(found[1], torch.tensor([1.0 / 4, 0.5 / 2]))


@pytest.mark.parametrize(
    ("second", "share"), [(5.0, 0.5), (4.0, 0.25), (3.5, 0.1768), (1.0, 0.03125)]
)
def test_the_second_best_cell_counts_as_far_as_it_is_close(second: float, share: float) -> None:
    cells = two_points()
    cells[0, 0, 0, 0] = second
    first, other = torch.tensor([2.75 / 4, 0.25]), torch.tensor([0.5 / 4, 0.25])
    found = grid.decode(cells).view(2, 2)[0]
    torch.testing.assert_close(found, first + share * (other - first), atol=1e-4, rtol=0)


def test_mixture_of_one_certain_cell_is_its_distance() -> None:
    cells = two_points()
    cells[0, 0, 1, 2] = 1e4
    true = torch.tensor([[[2.75 / 4 + 0.01, 0.25 - 0.03], [0.5, 0.5]]])
    terms = grid.mixture_terms(*grid.split(cells), true, 112)
    assert terms[0, 0].item() == pytest.approx(112 * 0.04 / grid.SCATTER, rel=1e-4)
    # eight equal cells: the nearest ones to the middle are an eighth of the picture off each way
    near = 112 * (0.125 + 0.25) / grid.SCATTER
    far = 112 * (0.375 + 0.25) / grid.SCATTER
    expected = -math.log((4 * math.exp(-near) + 4 * math.exp(-far)) / 8)
    assert terms[0, 1].item() == pytest.approx(expected, rel=1e-5)


def test_training_lowers_the_mixture_loss() -> None:
    torch.manual_seed(0)
    cells = torch.zeros(1, 3, 4, 4, requires_grad=True)
    true = torch.tensor([[[0.7, 0.3]]])
    optimiser = torch.optim.Adam([cells], lr=0.05)
    for _ in range(200):
        optimiser.zero_grad()
        grid.mixture_terms(*grid.split(cells), true, 112).sum().backward()
        optimiser.step()
    torch.testing.assert_close(grid.decode(cells)[0], true[0, 0], atol=0.02, rtol=0)


def test_network_gives_cells_in_training_and_landmarks_else() -> None:
    network = PFLD(**SMALL, num_landmarks=5)
    image = torch.zeros(2, 1, 112, 112)
    cells, pose = network(image)
    assert cells.shape == (2, 15, 14, 14)
    assert pose.shape == (2, 3)
    network.eval()
    landmarks = network(image)
    assert landmarks.shape == (2, 10)
    network.undecided = True
    torch.testing.assert_close(grid.decode(network(image)), landmarks)
    assert PFLD(**network.config()).config() == network.config()


@pytest.mark.parametrize(
    ("stem", "head", "macs"),
    [
        ("depthwise", "fc", 255_881_920),
        ("conv", "grid", 370_926_080),
        ("depthwise", "grid", 257_126_912),
    ],
)
def test_cost_of_the_switches(stem: str, head: str, macs: int) -> None:
    assert count_macs(PFLD(stem=stem, head=head, pose_branch=False)) == macs


def test_folded_normalisation_is_the_same() -> None:
    """What trains with frozen statistics computes what is used, in values and in gradients."""
    network = random_network(**SMALL, pose_branch=False)
    network.undecided = True
    image = torch.rand(2, 1, 112, 112)
    results = []
    for folded in (False, True):
        if folded:
            network.train()
            freeze_statistics(network)
        network.zero_grad()
        cells = network(image)
        cells.square().mean().backward()
        results.append((cells.detach(), network.stem[1].conv.weight.grad.clone()))
    (plain, gradient), (folded_cells, folded_gradient) = results
    scale = plain.abs().max()
    torch.testing.assert_close(folded_cells / scale, plain / scale, atol=1e-5, rtol=1e-4)
    size = gradient.abs().max()
    torch.testing.assert_close(folded_gradient / size, gradient / size, atol=1e-4, rtol=1e-3)


def test_half_the_bytes_hold_the_network(tmp_path: Path) -> None:
    network = random_network(**SMALL)
    save({"config": network.config(), "state_dict": network.state_dict()}, tmp_path / "a.pt")
    result = CliRunner().invoke(
        main, ["shrink", "--weights", str(tmp_path / "a.pt"), "--out", str(tmp_path / "b.pt")]
    )
    assert result.exit_code == 0, result.output
    small = load_network(tmp_path / "b.pt").state_dict()
    for name, value in network.state_dict().items():
        assert small[name].dtype == value.dtype
        torch.testing.assert_close(small[name], value, rtol=1e-3, atol=1e-6)
