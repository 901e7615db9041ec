# SPDX-License-Identifier: Apache-2.0
"""Figures of the driver's measures on files whose truth is known, with a stand-in network.

The light of a picture says what the network makes of it: dark shut eyes, bright a wide open mouth.
"""

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

import host.backends
from host.common.errors import UserError
from host.face.eyes import Look
from host.monitor.thresholds import Thresholds
from model.__main__ import main
from model.data.scheme68 import to_68
from model.evaluation.driver import (
    OPEN,
    SHUT,
    WIDE,
    compare,
    driver_faces,
    figures,
    figures_of_shut,
    find,
)
from model.evaluation.lid_plot import eye_by_eye, plot_lids
from tests.host.drivers import face
from tests.host.monitor.stories import ANNA, shaped
from tests.model.layouts import write_pts

LIMITS = Thresholds(pitch_gain=1.0)
CALM, ASLEEP, YAWN = 100, 30, 220  #: grey levels
FACES = {CALM: {"eyes": 0.33}, ASLEEP: {"eyes": 0.08}, YAWN: {"eyes": 0.33, "mouth": 0.7}}


def person(**how):
    """Landmarks of a face with proportions of its own."""
    return shaped(face(**how, at=(0.0, 0.0)), ANNA) + np.array([320.0, 200.0])


class Network:
    """Gives the landmarks that belong to the light of the crop."""

    name, model, input_size, details = "stand-in", "-", 112, {}

    def infer(self, images):
        light = float(images[0][40:72, 40:72].mean())
        points = person(**FACES[min(FACES, key=lambda level: abs(level - light))])
        low, high = points.min(0), points.max(0)
        side = 1.2 * (high - low).max()
        return ((points - (low + high) / 2) / side + 0.5)[None]

    def close(self):
        pass


def write_face(path, true, seen=None):
    """A picture whose points are those of ``true`` and whose light is ``seen``'s.

    Lids of shut eyes meet: on 68 points they stand a little further apart than on 98.
    """
    points = person(**FACES[true] | ({"eyes": 0.0} if true == ASLEEP else {}))
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path.with_suffix(".png")), np.full((480, 640), seen or true, np.uint8))
    write_pts(path.with_suffix(".pts"), to_68(points[None])[0])


@pytest.fixture
def root(tmp_path):
    """Four people in ytf's layout: trainings take the first frame of the first two, and all of the
    others.
    """
    for person in ("Xenia", "Yves_Young"):
        for number in range(3):
            write_face(tmp_path / "ytf" / "training" / f"{person}_{number:02}", ASLEEP)
        write_face(tmp_path / "ytf" / "test" / f"{person}_10", ASLEEP)
    for person in ("Anna", "Bert_Brown"):
        for number in range(8):
            write_face(tmp_path / "ytf" / "training" / f"{person}_{number:02}", CALM)
    write_face(tmp_path / "ytf" / "training" / "Anna_20", ASLEEP)
    write_face(tmp_path / "ytf" / "training" / "Anna_21", ASLEEP, seen=CALM)
    write_face(tmp_path / "ytf" / "training" / "Anna_22", CALM, seen=ASLEEP)
    write_face(tmp_path / "ytf" / "test" / "Bert_Brown_30", YAWN)
    write_face(tmp_path / "ytf" / "test" / "Carl_00", CALM, seen=YAWN)
    return tmp_path / "ytf"


def test_frames_that_trainings_take_are_not_measured(root):
    names = [record.image.stem for record in driver_faces({"ytf": root})]
    assert len(names) == 19
    assert not {"Anna_00", "Bert_Brown_00"} & set(names)
    assert {"Anna_01", "Bert_Brown_30", "Carl_00"} <= set(names)
    assert not [name for name in names if name.startswith(("Xenia", "Yves"))]


def test_the_figures_of_known_faces_are_exact(root):
    found = find(driver_faces({"ytf": root}), Network())
    assert found.shut.sum() == 2
    assert found.open.sum() == 17
    assert (found.mouth >= WIDE).sum() == 1
    said = figures(found, LIMITS)
    assert said["open counted as shut before calibration"] == pytest.approx(1 / 17)
    assert said["shut found before calibration"] == 1 / 2
    assert said["open faces of known people"] == 16  # Carl has one picture
    assert said["shut faces of known people"] == 2
    assert said["open counted as shut"] == pytest.approx(1 / 16)
    assert said["shut found"] == 1 / 2
    assert said["wide mouths found"] == 1
    assert said["other mouths counted as wide"] == pytest.approx(1 / 18)
    assert said["clips of two pictures"] == 2
    assert said["clips calibrated within 10 s"] == 1


def test_eyes_about_which_two_labels_differ_count_for_nothing(root):
    """The pseudo points say that the eyes are shut of which the tracker says that they are open."""
    points = person(eyes=0.08)
    row = [*points.ravel(), *points.min(0), *points.max(0), *[0] * 6, "training/Anna_01.png", 1.0]
    (root / "list_98pt_pseudo.txt").write_text(" ".join(str(word) for word in row) + "\n")
    records = driver_faces({"ytf": root})
    assert len(records) == 19
    assert find(records, Network()).open.sum() == 16


def test_a_mouth_about_which_two_labels_differ_counts_for_nothing(root):
    """The pseudo points say that the mouth is shut that the tracker sees wide open."""
    for name, count in (("test/Bert_Brown_30", 0), ("training/Anna_01", 1)):
        points = person(**FACES[CALM])
        row = [*points.ravel(), *points.min(0), *points.max(0), *[0] * 6, f"{name}.png", 1.0]
        (root / "list_98pt_pseudo.txt").write_text(" ".join(str(word) for word in row) + "\n")
        found = find(driver_faces({"ytf": root}), Network())
        assert (found.mouth >= WIDE).sum() == count
        assert np.isfinite(found.mouth).sum() == 18 + count


def test_faces_drawn_shut_are_judged_by_what_is_usual_for_them(root):
    records = driver_faces({"ytf": root})[:3]
    calm, asleep = (np.stack([person(**FACES[how])] * 3) for how in (CALM, ASLEEP))
    opened = compare(calm, records)
    said = figures_of_shut(opened, compare(asleep, records), LIMITS)
    assert said == {"open faces drawn shut": 3, "drawn shut found before calibration": 1,
                    "drawn shut found": 1}  # fmt: skip
    said = figures_of_shut(opened, opened, LIMITS)
    assert said["drawn shut found before calibration"] == said["drawn shut found"] == 0


def test_a_look_at_the_picture_counts_beside_the_landmarks(root):
    records = driver_faces({"ytf": root})
    blind = figures(find(records, Network(), lambda image, points: Look((0, 0), (1, 1))), LIMITS)
    assert blind["shut found before calibration"] == 0
    assert blind["open faces of known people"] == 0
    assert blind["clips calibrated within 10 s"] == 0
    assert blind["faces without a visible eye"] == 1
    seeing = [Look((1, 1), (0, 0)) if "2" in one.image.stem[-2:-1] else Look((1, 1), (1, 1))
              for one in records]  # fmt: skip
    told = iter(seeing)
    sharp = figures(find(records, Network(), lambda image, points: next(told)), LIMITS)
    assert sharp["shut found"] >= 1 / 2


def test_a_plot_has_the_eyes_of_each_kind(root, tmp_path):
    found = find(driver_faces({"ytf": root}), Network())
    shut, opened = eye_by_eye(found)
    assert len(shut) == 4
    assert len(opened) == 34
    assert shut.min() < SHUT < OPEN < np.median(opened)
    plot_lids({"one": found, "two": found}, tmp_path / "lids.png")
    assert cv2.imread(str(tmp_path / "lids.png")).shape[1] == 825


def test_the_command_prints_the_figures_and_refuses_what_it_does_not_know(
    root, tmp_path, monkeypatch
):
    monkeypatch.setattr(host.backends, "open_backend", lambda *names: Network())
    limits = tmp_path / "limits.json"
    limits.write_text('{"pitch_gain": 1.0}')
    words = ["evaluate-driver", "--no-look", "--data", f"ytf={root}", "--thresholds", str(limits)]
    done = CliRunner().invoke(main, [*words, "--plot", str(tmp_path / "a.png")])
    assert done.exit_code == 0, done.output
    assert "open faces: 17\nshut faces: 2\n" in done.output
    assert "shut found: 50.0 %\n" in done.output
    assert (tmp_path / "a.png").is_file()
    write_face(tmp_path / "w" / "helen" / "testset" / "a", CALM)
    done = CliRunner().invoke(
        main, ["evaluate-driver", "--no-look", "--data", f"300w={tmp_path / 'w'}"]
    )
    assert "open faces: 1\n" in done.output
    assert "open faces drawn shut: 1\n" in done.output
    assert "shut found: -\n" in done.output
    done = CliRunner().invoke(main, ["evaluate-driver", "--data", f"lfw={root}"])
    assert done.exit_code == 1
    assert "data set 'lfw' is unknown; use one of wflw, 300w, ytf" in done.output


def test_no_data_set_is_an_error():
    with pytest.raises(UserError, match="no data set is given; name one with --data 300w=FOLDER"):
        driver_faces({})
