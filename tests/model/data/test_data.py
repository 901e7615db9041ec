# SPDX-License-Identifier: Apache-2.0
"""Data sets in the layouts of WFLW and 300-W, filled with procedural faces."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from host.common.errors import UserError
from host.face.landmarks import LOWER_LIDS, MIRROR, UPPER_LIDS
from model.data import ibug, registry, wflw
from model.data.crops import COVER, SIDE, cached_crops
from model.data.records import Listing, Record
from model.data.scheme68 import HABITS, PARTNERS, to_68, to_98
from model.faces.render import Faces
from tests.model.layouts import row, write_pts

# -- readers ---------------------------------------------------------------------------------------


def test_wflw_list(wflw_root: Path, drawn: Faces) -> None:
    listing = registry.training_faces("wflw", wflw_root)
    assert [r.image.name for r in listing.records] == ["0.png", "1.png"]
    assert not listing.problems
    first = listing.records[0]
    np.testing.assert_allclose(first.points, drawn.landmarks[0] * 112, atol=1e-3)
    assert first.attributes == (False, True, False, False, True, False)
    assert first.weight == 1
    assert first.box is not None


def test_partial_list_has_a_mask(wflw_root: Path) -> None:
    (record,) = registry.training_faces("wflw_partial", wflw_root).records
    assert record.mask[1::2].all()
    assert not record.mask[::2].any()


def test_bad_rows_are_named_and_counted(wflw_root: Path) -> None:
    path = wflw.list_path(wflw_root, "train")
    good = path.read_text()
    cells = good.splitlines()[0].split()
    short, word = " ".join(cells[:50]), " ".join(["x", *cells[1:]])
    unknown = " ".join(["nan"] * 196 + cells[196:])
    path.write_text(f"{short}\n{good}\n{word}\n{unknown}\n")
    listing = registry.training_faces("wflw", wflw_root)
    assert len(listing.records) == 2
    assert listing.problems == [
        "list_98pt_rect_attr_train.txt line 1: 50 columns; a row has 207, with a spread 208",
        "list_98pt_rect_attr_train.txt line 5: not a number: could not convert string to float: "
        "'x'",
        "list_98pt_rect_attr_train.txt line 6: 0 known points; a face needs 10 or more",
    ]


def test_empty_and_missing_lists(wflw_root: Path) -> None:
    path = wflw.list_path(wflw_root, "train")
    path.write_text("broken\n")
    with pytest.raises(UserError, match=r"wflw train has no usable face \(1 left out: list_98pt"):
        registry.training_faces("wflw", wflw_root)
    path.unlink()
    with pytest.raises(UserError, match=r"there is no list .*train\.txt; give the folder in which"):
        registry.training_faces("wflw", wflw_root)


def test_a_point_with_a_coordinate_of_inf_is_unknown(wflw_root: Path) -> None:
    path = wflw.list_path(wflw_root, "train")
    cells = path.read_text().splitlines()[0].split()
    cells[1], cells[6] = "inf", "nan"
    path.write_text(" ".join(cells) + "\n")
    (record,) = registry.training_faces("wflw", wflw_root).records
    assert np.isnan(record.points[[0, 3]]).all()
    assert np.isfinite(np.delete(record.points, [0, 3], 0)).all()
    assert record.mask.sum() == 96


def test_lists_that_are_no_text(wflw_root: Path, ibug_root: Path) -> None:
    path = wflw.list_path(wflw_root, "train")
    path.write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(UserError, match=r"train\.txt is not a list in a text file: 'utf-8' codec"):
        registry.training_faces("wflw", wflw_root)
    with pytest.raises(UserError, match=r"train\.txt is not a list in a text file: 'utf-8' codec"):
        registry.measured_faces("300w", ibug_root, path)


def test_spread_lowers_the_weight() -> None:
    assert wflw.spread_weight(0) == 1
    assert wflw.spread_weight(1.2) == 1
    assert wflw.spread_weight(3.0) == pytest.approx(0.5)


def test_points_files(tmp_path: Path) -> None:
    points = np.random.default_rng(0).uniform(0, 100, (68, 2))
    write_pts(tmp_path / "a.pts", points)
    np.testing.assert_allclose(ibug.read_points(tmp_path / "a.pts"), points, atol=1e-5)
    with pytest.raises(UserError, match=r"a\.pts has no picture beside it; looked for \.jpg"):
        ibug.picture_of(tmp_path / "a.pts")
    write_pts(tmp_path / "few.pts", points[:5])
    with pytest.raises(UserError, match=r"few\.pts has 5 points; 300-W has 68"):
        ibug.read_points(tmp_path / "few.pts")
    (tmp_path / "text.pts").write_text("nothing")
    with pytest.raises(UserError, match=r"text\.pts is not a \.pts file"):
        ibug.read_points(tmp_path / "text.pts")


def test_300w_trains_without_its_test_folders(ibug_root: Path, drawn: Faces) -> None:
    listing = registry.training_faces("300w", ibug_root)
    assert {r.image.parent.name for r in listing.records} == {"trainset"}
    assert any("afw is missing" in p for p in listing.problems)
    for record, face in zip(listing.records, drawn.landmarks, strict=False):
        assert record.mask[PARTNERS].all()
        assert record.mask.sum() == 68
        found, true = record.points[PARTNERS], face[PARTNERS] * 112
        np.testing.assert_allclose(found, true, atol=0.15)  # the eyes' line differs a little
    measured = registry.measured_faces("300w", ibug_root)
    assert [len(r.points) for r in measured.records] == [68, 68]
    assert {r.image.parent.name for r in measured.records} == {"testset"}


def test_pseudo_points_fill_in(ibug_root: Path, drawn: Faces) -> None:
    shifted = drawn.landmarks[0].astype(np.float64) * 112 + (2, 0)
    (ibug_root / wflw.PSEUDO_LIST).write_text(row(shifted, "helen/trainset/face.png", 3.0) + "\n")
    record = registry.training_faces("300w", ibug_root).records[0]
    assert record.mask.all()
    assert record.weight == pytest.approx(0.5)
    middles = [62, 66, 70, 74]  # of the lids, placed as the true lids beside them
    others = np.setdiff1d(np.arange(98), [*PARTNERS, *middles])
    np.testing.assert_allclose(record.points[others], shifted[others], atol=1e-3)
    np.testing.assert_allclose(record.points[middles], shifted[middles], atol=0.5)
    between = shifted - (1, 0)
    lids = np.intersect1d(PARTNERS, [*UPPER_LIDS, *LOWER_LIDS])
    partners = np.setdiff1d(PARTNERS, lids)
    np.testing.assert_allclose(record.points[partners], between[partners], atol=0.15)
    np.testing.assert_allclose(record.points[lids], between[lids], atol=0.6)


def test_half_of_the_people_are_trained_on_with_one_frame_each() -> None:
    points = np.arange(196.0).reshape(98, 2)
    names = ["c_02", "a_b_00", "a_b_01", "d_e_00", "d_e_07", "c_03", "b_05", "b_06"]
    records = [Record(image=Path(f"{n}.jpg"), points=points) for n in names]
    kept = registry.frames_to_train(Listing("ytf", records)).records
    found = sorted(r.image.stem for r in kept)
    assert found == ["a_b_00", "b_05", "c_02", "c_03", "d_e_00", "d_e_07"]


# -- split -----------------------------------------------------------------------------------------


def test_pictures_of_the_test_list_are_not_trained_on(wflw_root: Path) -> None:
    train, test = (wflw.list_path(wflw_root, part) for part in ("train", "test"))
    train.write_text(train.read_text() + test.read_text())
    listing = registry.training_faces("wflw", wflw_root)
    assert len(listing.records) == 2
    assert [p.split("/")[-1] for p in listing.problems] == [
        "2.png is kept for measuring, not trained on"
    ]
    train.write_text(test.read_text())
    with pytest.raises(UserError, match="no usable face .* is kept for measuring"):
        registry.training_faces("wflw", wflw_root)


def test_test_folders_are_not_trained_on(tmp_path: Path) -> None:
    points = np.arange(196.0).reshape(98, 2)
    records = [
        Record(image=tmp_path / folder / "a.jpg", points=points)
        for folder in ("helen/testset", "test", "training")
    ]
    kept = registry.without_measured_faces(Listing("ytf", records), tmp_path)
    assert [r.image.parent.name for r in kept.records] == ["training"]
    assert len(kept.problems) == 2


def test_copies_of_measured_pictures_are_not_trained_on(ibug_root: Path, wflw_root: Path) -> None:
    for root, name, copy, original in (
        (ibug_root, "300w", "lfpw/trainset/face.png", "lfpw/testset/face.png"),
        (wflw_root, "wflw", "WFLW_images/1--Event/1.png", "WFLW_images/2--Event/2.png"),
    ):
        assert len(registry.training_faces(name, root).records) == 2
        (root / copy).write_bytes((root / original).read_bytes())
        listing = registry.training_faces(name, root)
        assert len(listing.records) == 1
        assert listing.problems[-1] == (
            f"{root / copy} is a copy of a picture kept for measuring, not trained on"
        )


def test_pictures_of_equal_size_are_no_copies(tmp_path: Path) -> None:
    for name, content in (("a", b"one"), ("b", b"two"), ("c", b"one"), ("d", b"three")):
        (tmp_path / name).write_bytes(content)
    a, b, c, d, missing = (tmp_path / name for name in ("a", "b", "c", "d", "missing"))
    assert registry.equal_files([a, b, d, missing], [c, missing]) == {a}


def test_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="source 'cofw' is unknown; use one of wflw, wflw_partial"):
        registry.training_faces("cofw", tmp_path)
    with pytest.raises(UserError, match="data set 'cofw' is unknown; use one of wflw, 300w, ytf"):
        registry.measured_faces("cofw", tmp_path, None)


# -- 68 and 98 points ------------------------------------------------------------------------------


def test_partners_are_distinct_and_symmetric() -> None:
    assert len(set(PARTNERS.tolist())) == 68
    assert set(MIRROR[PARTNERS].tolist()) == set(PARTNERS.tolist())
    assert HABITS.shape == (68, 2)


def test_mapping_there_and_back(drawn: Faces) -> None:
    true = to_68(drawn.landmarks.astype(np.float64))
    wide = to_98(true)
    assert np.isfinite(wide).all(2).sum(1).tolist() == [68] * 4
    unit = np.linalg.norm(true[:, 36] - true[:, 45], axis=1)
    error = np.linalg.norm(to_68(wide) - true, axis=2).max(1) / unit
    assert (error < 0.005).all()  # the corners' own habit turns and scales the others a little


def test_mapping_turns_with_the_face(drawn: Faces) -> None:
    points = drawn.landmarks.astype(np.float64)
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    np.testing.assert_allclose(to_68(points @ turn.T), to_68(points) @ turn.T, atol=1e-12)


# -- crops -----------------------------------------------------------------------------------------


def test_crops_show_the_face(wflw_root: Path, tmp_path: Path) -> None:
    listing = registry.training_faces("wflw", wflw_root)
    crops = cached_crops(listing, tmp_path / "cache")
    assert crops.images.shape == (2, SIDE, SIDE)
    assert isinstance(crops.images, np.memmap)
    side = (crops.landmarks.max(1) - crops.landmarks.min(1)).max(1)
    np.testing.assert_allclose(side, 1 / COVER, rtol=0.02)
    assert crops.mask.all()
    assert np.isfinite(crops.pose).all()
    assert crops.attributes[0].tolist() == [False, True, False, False, True, False]


def test_crops_are_cut_once(wflw_root: Path, tmp_path: Path) -> None:
    listing = registry.training_faces("wflw", wflw_root)
    cached_crops(listing, tmp_path / "cache")
    calls: list[int] = []
    again = cached_crops(listing, tmp_path / "cache", calls.append)
    assert not calls
    assert len(again) == 2
    moved = [Record(image=r.image, points=r.points + 1) for r in listing.records]
    cached_crops(Listing(listing.name, moved), tmp_path / "cache", calls.append)
    assert calls == [1, 2]


def test_unusable_pictures_are_named_and_counted(wflw_root: Path, tmp_path: Path) -> None:
    listing = registry.training_faces("wflw", wflw_root)
    good = listing.records[0]
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.png").touch()
    bad = [
        Record(image=tmp_path / "none.png", points=good.points),
        Record(image=tmp_path / "text.png", points=good.points),
        Record(image=tmp_path / "empty.png", points=good.points),
        Record(image=good.image, points=good.points + 100),
    ]
    mixed = Listing("mixed", [good, *bad])
    assert len(cached_crops(mixed, tmp_path / "cache")) == 1
    assert "none.png is missing" in mixed.problems[0]
    assert "text.png is not a picture" in mixed.problems[1]
    assert "empty.png is not a picture" in mixed.problems[2]
    assert "of the points lie outside of the 112x112 picture" in mixed.problems[3]
    with pytest.raises(UserError, match=r"worse has no usable face \(4 left out: .*none\.png is"):
        cached_crops(Listing("worse", bad), tmp_path / "cache")
    labels = next((tmp_path / "cache").glob("mixed_*.npz"))
    with np.load(labels) as content:
        assert len(json.loads(str(content["problems"]))) == 4
