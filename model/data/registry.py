# SPDX-License-Identifier: Apache-2.0
"""Data sets by name: what may be trained on, and what is only measured.

Training sources and the folder that each needs:

    wflw          WFLW's training list
    wflw_partial  a list beside it of faces of which some points are known
    wider98       faces with 98 pseudo points (list_98pt_pseudo.txt)
    300w          300-W's training folders; pseudo points fill in what 68 points do not tell
    ytf           video frames with 68 points, of half of the people; of the others one each
    aflw          AFLW's data base: 21 points, of which 16 have a partner, only where visible
    procedural    drawn faces, no folder

Measured are wflw (its test list), 300w (helen/testset and lfpw/testset, "common") and ytf (test).
A picture of a test list, or a copy of one, is never handed out for training: see
:func:`without_measured_faces`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from host.common.errors import UserError
from host.face.landmarks import LEFT_EYE, RIGHT_EYE
from model.data import aflw, ibug, lids, wflw
from model.data.records import Listing, Record, read_lines
from model.data.scheme68 import NUM_68, PARTNERS, to_98

EYES = [*LEFT_EYE, *RIGHT_EYE]
TEST_FOLDERS = {"testset", "test"}  #: names of folders whose pictures are only measured
COMMON = (Path("helen", "testset"), Path("lfpw", "testset"))

PROCEDURAL = "procedural"  #: the source of drawn faces, which needs no folder
Reader = Callable[[Path], Listing]


# -- training --------------------------------------------------------------------------------------


def _wflw(part: str) -> Reader:
    def read(root: Path) -> Listing:
        return wflw.read_list(wflw.list_path(root, part), root / wflw.IMAGES, f"wflw {part}")

    return read


def _wider98(root: Path) -> Listing:
    listing = wflw.read_list(root / wflw.PSEUDO_LIST, root / "images", "wider98")
    return Listing(listing.name, [*map(settled, listing.records)], listing.problems)


def settled(record: Record) -> Record:
    """A face of pseudo points with its eyelids corrected, see :mod:`model.data.lids`."""
    return replace(record, points=lids.corrected(record.points), lids=lids.PSEUDO_LIDS)


def _training_300w(root: Path) -> Listing:
    folders = [root / "helen" / "trainset", root / "lfpw" / "trainset", root / "afw"]
    return _complete(ibug.read_folders(folders, "300w"), root, merge)


def _training_ytf(root: Path) -> Listing:
    frames = ibug.read_folders([root / "training"], "ytf")
    return frames_to_train(_complete(frames, root, merge_tracked))


TRAINING: dict[str, Reader] = {
    "wflw": _wflw("train"),
    "wflw_partial": _wflw("partial"),
    "wider98": _wider98,
    "300w": _training_300w,
    "ytf": _training_ytf,
    "aflw": aflw.read_faces,
}
"""Sources of real faces for training; a procedural one is made by model.training.train."""


def training_faces(source: str, root: Path) -> Listing:
    """Faces of ``source`` below the folder ``root``, without any that is kept for measuring.

    UserError: the source is unknown, its list is missing, or no face is usable.
    """
    if source not in TRAINING:
        raise UserError(f"source {source!r} is unknown; use one of {', '.join(TRAINING)}")
    return without_measured_faces(TRAINING[source](root), root).checked()


def without_measured_faces(listing: Listing, root: Path) -> Listing:
    """Leave out pictures that are measured below ``root`` and copies; each becomes a problem."""
    measured = measured_pictures(root)
    copies = equal_files([record.image for record in listing.records], measured)
    kept = []
    for record in listing.records:
        if in_test_folder(record.image, root) or record.image.resolve() in measured:
            listing.problems.append(f"{record.image} is kept for measuring, not trained on")
        elif record.image in copies:
            listing.problems.append(
                f"{record.image} is a copy of a picture kept for measuring, not trained on"
            )
        else:
            kept.append(record)
    return Listing(listing.name, kept, listing.problems)


def measured_pictures(root: Path) -> set[Path]:
    """Resolved pictures below ``root`` that are in a test folder or on WFLW's test list."""
    found = [p for p in root.rglob("*") if p.suffix in ibug.SUFFIXES and in_test_folder(p, root)]
    if wflw.list_path(root, "test").is_file():
        found += [record.image for record in _wflw("test")(root).records]
    return {path.resolve() for path in found}


def in_test_folder(picture: Path, root: Path) -> bool:
    """Whether a folder between ``root`` and the picture is only measured."""
    return bool(TEST_FOLDERS & set(picture.relative_to(root).parts[:-1]))


def equal_files(files: Iterable[Path], others: Iterable[Path]) -> set[Path]:
    """Those of ``files`` that have the bytes of one of ``others``; read are only equal sizes."""
    mine, theirs = by_size(files), by_size(others)
    found: set[Path] = set()
    for size in mine.keys() & theirs.keys():
        contents = {digest(path) for path in theirs[size]}
        found |= {path for path in mine[size] if digest(path) in contents}
    return found


def by_size(files: Iterable[Path]) -> dict[int, set[Path]]:
    """The files that exist, by their number of bytes."""
    sizes: dict[int, set[Path]] = {}
    for path in files:
        if path.is_file():
            sizes.setdefault(path.stat().st_size, set()).add(path)
    return sizes


def digest(path: Path) -> bytes:
    """What only files of equal content share."""
    return hashlib.sha256(path.read_bytes()).digest()


def _complete(
    listing: Listing, root: Path, merge: Callable[[Record, Record | None], Record]
) -> Listing:
    """Turn 68 points into 98; a list of pseudo points below ``root`` fills in the others."""
    pseudo = pseudo_points(root)
    records = [merge(record, pseudo.get(record.image)) for record in listing.records]
    return Listing(listing.name, records, listing.problems)


def pseudo_points(root: Path) -> dict[Path, Record]:
    """Faces of the list of pseudo points below ``root`` by picture; none without a list."""
    path = root / wflw.PSEUDO_LIST
    if not path.is_file():
        return {}
    return {r.image: r for r in wflw.read_list(path, root, f"{root.name} pseudo").records}


def merge(true: Record, pseudo: Record | None) -> Record:
    """``true`` with its 68 points as 98.

    Points without a partner come from ``pseudo``. Those with one are the mean of both, because the
    correction for the annotators' habits is one for all faces and pseudo points know each face.
    Eyes are as far open as the true points say.
    """
    points = to_98(true.points[None])[0]
    if pseudo is None:
        return replace(true, points=points)
    merged = pseudo.points.copy()
    merged[PARTNERS] = (merged[PARTNERS] + points[PARTNERS]) / 2
    return replace(true, points=lids.opened_as(merged, true.points), weight=pseudo.weight)


def merge_tracked(true: Record, pseudo: Record | None) -> Record:
    """The same for frames of a tracker, whose lids are worse than the corrected pseudo points'."""
    merged = merge(true, pseudo)
    if pseudo is None:
        return replace(merged, lids=lids.PSEUDO_LIDS)
    points = merged.points.copy()
    points[EYES] = lids.corrected(pseudo.points)[EYES]
    return replace(merged, points=points, lids=lids.PSEUDO_LIDS)


def frames_to_train(listing: Listing) -> Listing:
    """All frames of the second half of the people by name, and the first one of each other.

    Frames are called PERSON_NN. What is left of the first half shows how well a network follows
    people of whom it knows one picture (model.evaluation.driver).
    """
    people: dict[str, list[Record]] = {}
    for record in listing.records:
        people.setdefault(person(record), []).append(record)
    measured = sorted(people)[: len(people) // 2]
    for name in measured:
        people[name] = people[name][:1]
    kept = [record for records in people.values() for record in records]
    return Listing(listing.name, kept, listing.problems)


def person(record: Record) -> str:
    """Who is seen on a frame called PERSON_NN; of another picture its own name."""
    return re.sub(r"(?<=.)_\d\d$", "", record.image.stem)


# -- measuring -------------------------------------------------------------------------------------


def _test_300w(root: Path) -> Listing:
    return ibug.read_folders([root / folder for folder in COMMON], "300w common")


def _test_ytf(root: Path) -> Listing:
    return ibug.read_folders([root / "test"], "ytf test")


MEASURED: dict[str, Reader] = {"wflw": _wflw("test"), "300w": _test_300w, "ytf": _test_ytf}
"""Data sets that ``evaluate`` measures on."""


def measured_faces(dataset: str, root: Path, rows: Path | None = None) -> Listing:
    """Faces of ``dataset`` to measure on.

    rows: for wflw, another list in its layout than the test list; for the others, a text file with
    the names of .pts files relative to ``root``, one a line.
    UserError: the data set is unknown or no face is usable.
    """
    if dataset not in MEASURED:
        raise UserError(f"data set {dataset!r} is unknown; use one of {', '.join(MEASURED)}")
    if rows is None:
        return MEASURED[dataset](root).checked()
    if dataset == "wflw":
        return wflw.read_list(rows, root / wflw.IMAGES, f"wflw {rows.name}").checked()
    return _named_points(rows, root, f"{dataset} {rows.name}").checked()


def _named_points(rows: Path, root: Path, name: str) -> Listing:
    if not rows.is_file():
        raise UserError(f"there is no list {rows}; give a text file with names of .pts files")
    listing = Listing(name)
    for line in filter(None, map(str.strip, read_lines(rows))):
        path = root / line
        try:
            record = Record(image=ibug.picture_of(path), points=ibug.read_points(path))
            listing.records.append(record)
        except UserError as error:
            listing.problems.append(str(error))
    return listing


def is_68(record: Record) -> bool:
    """Whether the face has 300-W's points instead of WFLW's."""
    return len(record.points) == NUM_68


def as_98(record: Record) -> np.ndarray:
    """The face's points as 98, nan where unknown."""
    return to_98(record.points[None])[0] if is_68(record) else record.points
