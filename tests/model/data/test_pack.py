# SPDX-License-Identifier: Apache-2.0
"""The faces of a training in one file: what comes out is what went in."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from host.common.errors import UserError
from model.data.crops import from_procedural
from model.data.mixture import Balance, Mixture, as_batch, as_tensors, in_range
from model.data.pack import LABELS, decode, encode, read_pack, write_pack
from model.faces.render import Faces


@pytest.fixture
def mixture(drawn: Faces) -> Mixture:
    crops = from_procedural(drawn)
    return Mixture((crops.part(np.array([0, 1])), crops.part(np.array([2]))), (2.0, 0.5))


def test_pack_keeps_labels_and_pictures(mixture: Mixture, drawn: Faces, tmp_path: Path) -> None:
    held = from_procedural(drawn).part(np.array([3]))
    assert write_pack(mixture, held, tmp_path / "faces.npz") == 90
    balance = Balance(closed=2)
    found, found_held = read_pack(tmp_path / "faces.npz", balance)
    assert (found.repeats, found.balance) == ((2.0, 0.5), balance)
    for one, other in zip((*mixture.parts, held), (*found.parts, found_held), strict=True):
        assert (one.name, one.framed) == (other.name, other.framed)
        for label in LABELS:
            np.testing.assert_array_equal(getattr(one, label), getattr(other, label))
        assert np.abs(one.images.astype(int) - other.images).mean() < 4


def test_pack_lowers_the_quality_and_gives_up(mixture: Mixture, tmp_path: Path) -> None:
    path = tmp_path / "faces.npz"
    crops = (*mixture.parts, mixture.parts[1])
    best = sum(len(encode(c.images, 90)[0]) for c in crops)
    best += sum(getattr(c, label).nbytes for c in crops for label in LABELS)
    assert write_pack(mixture, mixture.parts[1], path, best) < 90
    with pytest.raises(UserError, match=r"the faces take 0\.0 MB at JPEG quality 50, at most 0\.0"):
        write_pack(mixture, mixture.parts[1], path, 1000)


def test_other_files_are_refused(mixture: Mixture, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.npz is no file of `python -m model pack`"):
        read_pack(tmp_path / "none.npz", Balance())
    np.savez(tmp_path / "old.npz", about='{"format": 0}')
    with pytest.raises(UserError, match="has format 0; this version reads 1"):
        read_pack(tmp_path / "old.npz", Balance())


def test_damaged_files_are_refused(mixture: Mixture, tmp_path: Path) -> None:
    path = tmp_path / "faces.npz"
    write_pack(mixture, mixture.parts[1], path)
    content = path.read_bytes()
    np.save(tmp_path / "one.npy", np.zeros(3))
    one = (tmp_path / "one.npy").read_bytes()
    for damaged in (content[: len(content) // 2], b"", b"PK\x03\x04", one):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"faces\.npz is no file of `python -m model pack`: "):
            read_pack(path, Balance())


def test_broken_picture() -> None:
    data, ends = encode(np.zeros((2, 8, 8), np.uint8), 90)
    with pytest.raises(ValueError, match="the picture at byte 0 cannot be decoded"):
        decode(data[::-1].copy(), ends)
    assert cv2.imdecode(data[: ends[0]], 0).shape == (8, 8)


def test_faces_by_number_are_those_of_the_crops(mixture: Mixture) -> None:
    """What a GPU takes from its memory is what a CPU reads from the file."""
    crops = mixture.parts[0]
    whole = as_tensors(crops, np.arange(len(crops)))
    chosen = np.array([1, 0, 1])
    direct, kept = as_batch(crops, chosen), in_range(whole.part(torch.from_numpy(chosen)))
    for one, other in zip(direct.tensors(), kept.tensors(), strict=True):
        assert torch.equal(
            one.nan_to_num() if one.is_floating_point() else one,
            other.nan_to_num() if other.is_floating_point() else other,
        )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_augmentation_on_a_gpu(mixture: Mixture) -> None:
    rows = mixture.order(0, 0)
    generator = torch.Generator("cuda").manual_seed(0)
    batch = mixture.batch(rows, 112, generator, 1.0)
    assert all(tensor.is_cuda for tensor in batch.tensors())
    assert batch.images.shape == (len(rows), 1, 112, 112)
    assert torch.isfinite(batch.landmarks).all()
