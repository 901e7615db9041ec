# SPDX-License-Identifier: Apache-2.0
"""Measuring: figures by hand, all arithmetics of one network, corruptions, the report."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from onnx import TensorProto, helper, save_model

from host.common.errors import UserError, VerifyError
from host.common.paths import ZOO
from host.face.crop import square_around_landmarks
from model.__main__ import main
from model.data.records import Listing, Record
from model.data.scheme68 import to_68
from model.evaluation.corrupt import CORRUPTIONS, corrupt
from model.evaluation.evaluate import (
    Faces,
    _belongs,
    collect_faces,
    compare,
    cross_check,
    errors_of,
    point_errors,
    subsets,
    true_crops,
    write_crops,
)
from model.evaluation.predictors import Predictor, open_anchor, open_predictor
from model.evaluation.report import as_markdown
from model.export.integer import integer_network
from model.export.snap import export_files
from model.faces.render import make_faces
from model.network.checkpoint import save, save_quantised
from model.training.ptq import post_train
from tests.model.layouts import picture
from tests.model.samples import as_tensor, random_network, smooth_images

SMALL = {"width": 0.125}


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with fp32.pt, int8.pt and int8.onnx of one narrow network."""
    folder = tmp_path_factory.mktemp("weights")
    network = random_network(**SMALL)
    save({"config": network.config(), "state_dict": network.state_dict()}, folder / "fp32.pt")
    quantised = post_train(network, as_tensor(smooth_images(16, 112, 0)))
    save_quantised(quantised, folder / "int8.pt", {})
    export_files(quantised, folder / "int8.onnx", smooth_images(2, 112, 1))
    return folder


def perfect(faces: object) -> Predictor:
    """Answers with the truth, moved right by a hundredth of the crop."""
    true = [s.to_crop(r.points) for s, r in zip(faces.squares, faces.records, strict=True)]
    return Predictor("fp32", 112, lambda images: np.stack(true) + np.array([0.01, 0]))


def test_errors_are_those_of_points_in_the_picture(wflw_root: Path) -> None:
    faces = collect_faces("wflw", wflw_root, None, 112)
    assert len(faces) == 1
    points = faces.records[0].points
    side = square_around_landmarks(points).side
    unit = np.linalg.norm(points[60] - points[72])
    np.testing.assert_allclose(errors_of(perfect(faces), faces), [100 * 0.01 * side / unit])
    assert list(subsets(np.ones(1), faces.records)) == ["expression", "occlusion"]


def test_comparison_tells_the_worst_face() -> None:
    faces = collect_faces("procedural", None, None, 112, None, 4)
    one = perfect(faces)

    def worse(images: np.ndarray) -> np.ndarray:
        moved = one.run(images)
        moved[2] += np.array([0.01, 0])  # twice as far off as before
        return moved

    found = compare(one, Predictor("integer", 112, worse), faces)
    expected = errors_of(one, faces)[2]
    assert found["arithmetic"] == "integer"
    assert found["largest"] == pytest.approx(expected, abs=1e-4)
    assert found["difference"] == pytest.approx(expected / 4, abs=1e-4)
    with pytest.raises(UserError, match="one network takes 112 pixels, the other 96"):
        compare(one, Predictor("integer", 96, worse), faces)


def test_comparison_of_files(weights: Path) -> None:
    """The exported file equals itself on every face; its checkpoint rounds another way."""
    integers = weights / "int8.onnx"
    text, found = r"differs by ([\d.]+) points, on the worst face by ([\d.]+)", []
    for other in (integers, weights / "int8.pt"):
        result = run("evaluate", "--weights", integers, "--compare", other, "--count", 4)
        assert result.exit_code == 0, result.output
        line = re.search(text, result.output)
        found.append([float(v) for v in line.groups()])
    assert found[0] == [0, 0]
    assert 0 <= found[1][0] <= found[1][1]


class OneOff:
    """The integer graph in place of the C++, wrong in one output of the second face."""

    def __init__(self, build: Path) -> None:
        self.exact = build.name == "exact"
        self.network = integer_network(build.parent / "int8.onnx")

    def accumulate(self, images: np.ndarray) -> np.ndarray:
        found = self.network.run(images).accumulators.copy()
        found[1, 7] += not self.exact
        return found


def test_cpp_must_give_the_integers_of_the_file(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.evaluation.evaluate.CsimBackend", OneOff)
    faces = collect_faces("procedural", None, None, 112, None, 3)
    assert cross_check(weights / "int8.onnx", weights / "exact", faces) == 3
    with pytest.raises(VerifyError, match=r"accumulators\[1, 7\] is .* after C\+\+ simulation"):
        cross_check(weights / "int8.onnx", weights / "off", faces)
    with pytest.raises(UserError, match="is a checkpoint; --csim compares a QONNX file"):
        cross_check(weights / "fp32.pt", weights / "exact", faces)


def test_68_points_are_measured_after_the_mapping(ibug_root: Path) -> None:
    faces = collect_faces("300w", ibug_root, None, 112)
    assert len(faces) == 2
    found = make_faces(4, 7).landmarks[2:].astype(np.float64) * 112  # what the fixture mapped
    np.testing.assert_allclose(point_errors(found, faces.records), 0, atol=1e-4)
    unit = [np.linalg.norm(to_68(f[None])[0, 36] - to_68(f[None])[0, 45]) for f in found]
    moved = point_errors(found + np.array([0, 1]), faces.records)
    np.testing.assert_allclose(moved, 100 / np.array(unit), rtol=1e-4)


def test_faces_that_cannot_be_measured_are_counted(tmp_path: Path) -> None:
    points = make_faces(1, 0).landmarks[0].astype(np.float64) * 112
    hidden = points.copy()
    hidden[60] = np.nan
    records = [
        Record(image=tmp_path / "none.png", points=points),
        Record(image=tmp_path / "none.png", points=hidden),
    ]
    with pytest.raises(UserError, match=r"bad has no usable face \(2 left out: .*none\.png is mis"):
        true_crops(Listing("bad", records), 112)


def test_a_point_at_infinity_does_not_count(tmp_path: Path) -> None:
    drawn = make_faces(1, 0)
    points = drawn.landmarks[0].astype(np.float64) * 112
    picture(tmp_path / "face.png", drawn.images[0])
    points[5, 1] = np.inf
    record = Record(image=tmp_path / "face.png", points=points)
    faces = true_crops(Listing("far", [record]), 112)
    (error,) = point_errors(np.nan_to_num(record.points)[None] + (1, 0), faces.records)
    assert error == pytest.approx(100 / np.linalg.norm(points[60] - points[72]))


def test_detected_squares_belong_to_their_face() -> None:
    square = square_around_landmarks([[10, 10], [110, 110]])
    assert _belongs(square, square)
    assert not _belongs(square_around_landmarks([[60, 10], [160, 110]]), square)
    assert not _belongs(square_around_landmarks([[40, 40], [80, 80]]), square)


def test_three_arithmetics_of_one_network(weights: Path) -> None:
    images = smooth_images(3, 112, 5)
    files = {"fp32": "fp32.pt", "quantised": "int8.pt", "integer": "int8.onnx"}
    found = {}
    for kind, name in files.items():
        predictor = open_predictor(weights / name)
        assert predictor.kind == kind
        assert predictor.size == 112
        found[kind] = predictor.run(images)
        assert found[kind].shape == (3, 98, 2)
    graph = open_predictor(weights / "int8.onnx", "quantised")
    # random weights amplify every step that rounds another way, so they agree only roughly
    for other in (graph.run(images), found["quantised"], found["fp32"]):
        assert np.corrcoef(other.flatten(), found["integer"].flatten())[0, 1] > 0.9


def test_arithmetic_must_fit_the_file(weights: Path) -> None:
    with pytest.raises(UserError, match=r"fp32\.pt is a checkpoint; integer needs a QONNX file"):
        open_predictor(weights / "fp32.pt", "integer")
    with pytest.raises(UserError, match="arithmetic 'double' is unknown; use auto, integer, quant"):
        open_predictor(weights / "int8.onnx", "double")


@pytest.fixture(scope="module")
def anchor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of three channels whose every landmark is the mean of the picture."""
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "axis"], ["column"]),
        helper.make_node("Expand", ["column", "shape"], ["output"]),
    ]
    constants = [
        helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
        helper.make_tensor("shape", TensorProto.INT64, [2], [1, 196]),
    ]
    entry = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 112, 112])
    end = helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 196])
    graph = helper.make_graph(nodes, "anchor", [entry], [end], constants)
    path = tmp_path_factory.mktemp("anchor") / "anchor.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    save_model(model, path)
    return path


def test_anchor_gets_three_equal_channels(anchor: Path) -> None:
    images = smooth_images(2, 112, 3)
    expected = np.broadcast_to(images.mean((1, 2))[:, None, None] / 255, (2, 98, 2))
    np.testing.assert_allclose(open_anchor(anchor).run(images), expected, rtol=1e-5)
    with pytest.raises(UserError, match=r"there is no anchor .*none\.onnx"):
        open_anchor(anchor.with_name("none.onnx"))


def test_files_that_are_no_anchor(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("nothing")
    for path in (tmp_path / "text.onnx", weights / "int8.onnx"):
        with pytest.raises(UserError, match=rf"{path.name} is no ONNX model that onnxruntime runs"):
            open_anchor(path)
    with pytest.raises(
        UserError, match=r"takes \[.*1, .*\]; the input of an anchor is \(1, 3, S, S"
    ):
        open_anchor(weights / "int8_exact.onnx")


@pytest.mark.parametrize("name", list(CORRUPTIONS))
def test_corruptions_grow_with_their_strength(name: str) -> None:
    images = smooth_images(4, 112, 2)
    change = [np.abs(corrupt(images, name, s).astype(int) - images).mean() for s in (1, 2, 3)]
    assert 0 < change[0] < change[1] < change[2]
    assert np.array_equal(corrupt(images, name, 2), corrupt(images, name, 2))


def test_unknown_corruptions() -> None:
    images = smooth_images(1, 112, 2)
    with pytest.raises(UserError, match="corruption 'rain' is unknown; use one of blur, noise"):
        corrupt(images, "rain", 1)
    with pytest.raises(UserError, match="strength 4 of blur is unknown; use 1, 2 or 3"):
        corrupt(images, "blur", 4)


def test_command_prints_json(weights: Path, wflw_root: Path, anchor: Path, tmp_path: Path) -> None:
    table, picture = tmp_path / "errors.csv", tmp_path / "faces.png"
    result = run(
        "evaluate",
        "--weights",
        weights / "fp32.pt",
        "--dataset",
        "wflw",
        "--root",
        wflw_root,
        "--anchor",
        anchor,
        "--errors",
        table,
        "--picture",
        picture,
        "--json",
    )
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert set(found) >= {"config", "git", "versions"}
    assert found["config"]["dataset"] == "wflw"
    assert (found["config"]["detector"], found["config"]["anchor"]) == ("blazeface", anchor.name)
    assert {"nme", "fr10", "auc10", "accuracy", "faces"} <= found.keys()
    assert found["faces"] == 1
    assert found["accuracy"] == pytest.approx(100 - found["nme"], abs=1e-3)
    assert found["anchor"]["arithmetic"] == "anchor"
    assert set(found["subsets"]) == {"expression", "occlusion"}
    assert float(table.read_text().splitlines()[1].split(",")[1]) == pytest.approx(
        found["nme"], abs=1e-3
    )
    assert cv2.imread(str(picture)).shape[0] == 224


def test_crops_measure_the_same_outside_of_the_picture(
    weights: Path, wflw_root: Path, tmp_path: Path
) -> None:
    crops = tmp_path / "crops.npz"
    given = ("--dataset", "wflw", "--root", wflw_root)
    result = run("evaluate", "--weights", weights / "fp32.pt", *given, "--crops", crops, "--json")
    assert result.exit_code == 0, result.output
    again = run("evaluate", "--weights", weights / "fp32.pt", "--images", crops, "--json")
    found, expected = json.loads(again.stdout), json.loads(result.stdout)
    assert found["faces"] == expected["faces"] == 1
    assert found["nme"] == pytest.approx(expected["nme"], abs=1e-3)


def test_crops_with_unknown_points_are_refused(tmp_path: Path) -> None:
    faces = collect_faces("procedural", None, None, 112, None, 2)
    faces.records[1].points[3] = np.nan
    with pytest.raises(UserError, match="1 of 2 faces of procedural have unknown points; take a"):
        write_crops(tmp_path / "crops.npz", faces)
    assert not list(tmp_path.iterdir())


def test_command_needs_a_root(weights: Path) -> None:
    result = run("evaluate", "--weights", weights / "fp32.pt", "--dataset", "wflw")
    assert result.exit_code == 1
    assert "--dataset wflw needs --root, the folder of the data set" in result.output


def test_report(weights: Path, tmp_path: Path) -> None:
    result = run(
        "report",
        "--method",
        f"FP32={weights / 'fp32.pt'}@3 h",
        "--method",
        f"PTQ={weights / 'int8.onnx'}",
        "--count",
        4,
        "--out",
        tmp_path / "out",
    )
    assert result.exit_code == 0, result.output
    lines = (tmp_path / "out" / "report.md").read_text().splitlines()
    fp32 = next(line for line in lines if line.startswith("| FP32"))
    assert fp32.endswith("| 1.00 | 3 h |")
    assert sum(line.startswith("| PTQ") for line in lines) == 2
    for name in ("robustness.png", "faces.png"):
        assert (tmp_path / "out" / name).read_bytes().startswith(b"\x89PNG")
    bad = run("report", "--method", "FP32", "--out", tmp_path)
    assert "--method 'FP32' is not NAME=FILE or NAME=FILE@TIME" in bad.output


def test_report_compares_sizes_with_our_first_file_and_adds_detected_boxes() -> None:
    figures = {"nme": 5.0, "fr10": 6.0, "auc10": 40.0, "accuracy": 95.0, "faces": 3}
    corruptions = {name: [7.0, 8.0, 9.0] for name in CORRUPTIONS}
    rows = [
        {
            "method": name,
            "kind": kind,
            **figures,
            "bytes": size,
            "time": "-",
            "subsets": {},
            "corruptions": corruptions,
            "detected": {**figures, "nme": 5.5, "faces": 2},
        }
        for name, kind, size in (
            ("other", "anchor", 3_000_000),
            ("FP32", "fp32", 4_000_000),
            ("PTQ", "integer", 10**6),
        )
    ]
    lines = as_markdown(rows, Faces("faces")).splitlines()
    assert "| other | 5.00 | 6.00 | 40.00 | 95.00 | 3.00 | - | - |" in lines
    assert "| PTQ | 5.00 | 6.00 | 40.00 | 95.00 | 1.00 | 4.00 | - |" in lines
    assert "Crops from the detector's boxes (2 faces found)" in lines
    assert "| PTQ | 5.50 | 6.00 | 40.00 | 95.00 |" in lines


DATA = os.environ.get("KRIA_LANDMARKS_DATA", "")


@pytest.mark.skipif(not DATA, reason="set KRIA_LANDMARKS_DATA to a folder with wflw and 300w")
@pytest.mark.parametrize(("dataset", "limit"), [("wflw", 6.6), ("300w", 4.5)])
def test_trained_network_on_real_faces(dataset: str, limit: float) -> None:
    shipped = ZOO / "pfld_1x_fp32.pt"
    predictor = open_predictor(shipped)
    faces = collect_faces(dataset, Path(DATA, dataset), None, predictor.size)
    assert errors_of(predictor, faces).mean() <= limit
