# SPDX-License-Identifier: Apache-2.0
"""From a QONNX file of others to a configuration, and to a design that equals the file."""

import json

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from build_flows.__main__ import cli
from build_flows.build import Build
from build_flows.config import load_config
from build_flows.design.verify import Golden
from build_flows.new import smooth_images, vectors_of, write_network
from build_flows.report import equality
from build_flows.steps import cleaned
from host.common.errors import UserError
from host.common.paths import ZOO
from host.common.tasks import TASKS, decode
from model.export.snap import to_qonnx
from model.network.checkpoint import load_network
from model.training.ptq import post_train
from tests.build_flows.networks import network_of_others
from tests.model.samples import as_tensor, random_network
from tests.model.samples import smooth_images as model_images


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "somebodys.onnx"
    network_of_others(channels=1).save(str(path))
    return path


def test_a_config_that_loads_and_maps(file, tmp_path):
    config = write_network("mine", file, None, tmp_path / "mine", task="classes")
    cfg = load_config(str(config))
    golden = Golden.load(cfg)
    assert golden.images.shape == (8, 8, 8)
    assert golden.file_outputs.shape == golden.accumulators.shape == (8, 7)
    assert (cfg.task, cfg.name, cfg.model.read_bytes()) == ("classes", "mine", file.read_bytes())
    build = Build(cfg, tmp_path / "out").until("map")  # verified after each step
    assert build.model("map").graph.node


def test_the_command_explores_a_folding(file, tmp_path):
    words = ["new", "mine", "--model", str(file), "--fps", "1000", "--out", str(tmp_path / "mine")]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 0, result.output
    assert "8 images" in result.output
    folding = json.loads((tmp_path / "mine" / "mine_folding.json").read_text())
    assert any(name.startswith("Dense") for name in folding)


def test_pictures_of_a_folder_and_colours(tmp_path):
    path = tmp_path / "rgb.onnx"
    network_of_others(channels=3).save(str(path))
    for i in range(2):
        blue = np.zeros((20, 16, 3), np.uint8)
        blue[..., 0] = 200 + i
        cv2.imwrite(str(tmp_path / f"{i}.png"), blue)
    config = write_network("rgb", path, tmp_path, tmp_path / "rgb")
    images = Golden.load(load_config(str(config))).images
    assert images.shape == (2, 8, 8, 3)
    assert images[1, 0, 0].tolist() == [0, 0, 201]


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"images": np.zeros((2, 8, 8), np.float32)}, "are float32 of shape .* takes uint8"),
        ({"images": np.zeros((2, 8, 9), np.uint8)}, r"uint8 \(N, 8, 8, 1\)"),
        ({"faces": np.zeros(1)}, "is no npz with the key images"),
    ],
)
def test_images_that_do_not_fit(file, tmp_path, arrays, reason):
    np.savez(tmp_path / "data.npz", **arrays)
    with pytest.raises(UserError, match=reason):
        write_network("mine", file, tmp_path / "data.npz", tmp_path / "mine")


def test_what_is_no_network(file, tmp_path):
    with pytest.raises(UserError, match="3d-net is no name for a network; use letters, digits"):
        write_network("3d-net", file, None, tmp_path / "mine")
    (tmp_path / "text.onnx").write_text("no protobuf at all")
    with pytest.raises(UserError, match=r"text\.onnx is no ONNX file"):
        write_network("mine", tmp_path / "text.onnx", None, tmp_path / "mine")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty has no pictures; use .png"):
        write_network("mine", file, tmp_path / "empty", tmp_path / "mine")


def test_another_worth_of_a_byte(file):
    """Of a model that takes -1 to 1: golden vectors and integers of the same bytes."""
    model = cleaned(network_of_others(channels=1), file)
    images = smooth_images((8, 8, 1), 3, seed=4)
    moved = vectors_of(model, images, 2 / 255, -1.0)
    assert not np.array_equal(moved.accumulators, vectors_of(model, images).accumulators)


def test_equality_is_counted_by_image():
    golden = Golden(np.zeros((3, 2, 2), np.uint8), np.array([[1], [2], [3]]), np.array([[1.5]] * 3))
    affine = {"scale": [0.5], "bias": [0.5]}
    found = equality(np.array([[2], [3], [2], [2]]), affine, golden)
    assert found == {"equal_to_file": 2, "images_compared": 3, "distance_to_file": 0.5}
    assert equality(golden.accumulators, affine, Golden(golden.images, golden.accumulators)) == {}


SETTINGS = {
    "config": "mine",
    "network": "mine",
    "outputs": [{"name": "a", "shape": [2, 1, 2]}, {"name": "b", "shape": [1, 1, 2]}],
    "output": {"scale": [2.0] * 6, "bias": [1.0] * 6},
}


def test_outputs_by_name_and_task():
    sent = np.arange(6)[None]
    found = decode(sent, SETTINGS | {"task": "values"})
    assert found["a"].tolist() == [[[[1, 7]], [[3, 9]]]]
    assert found["b"].tolist() == [[[[5, 11]]]]
    assert decode(sent, SETTINGS | {"task": "classes"})["a"].tolist() == [[[1, 1]]]
    points = decode(sent, SETTINGS | {"task": "landmarks"})["a"]
    assert points.tolist() == [[[1, 3], [5, 7], [9, 11]]]
    assert set(TASKS) == {"landmarks", "classes", "map", "values"}


def test_outputs_of_unlike_size_are_whole_maps():
    rows = [{"name": "a", "shape": [2, 1, 2]}, {"name": "b", "shape": [2, 1, 1]}]
    found = decode(np.arange(6)[None], SETTINGS | {"task": "values", "outputs": rows})
    assert found["a"].tolist() == [[[[1, 5]], [[3, 7]]]]
    assert found["b"].tolist() == [[9, 11]]


def test_tasks_and_sizes_that_are_refused(file, tmp_path):
    with pytest.raises(UserError, match="task=poetry of mine; use landmarks"):
        decode(np.zeros((1, 6), int), SETTINGS | {"task": "poetry"})
    with pytest.raises(UserError, match=r"of shape \(1, 5\); mine gives \(N, 6\)"):
        decode(np.zeros((1, 5), int), SETTINGS | {"task": "values"})
    config = write_network("mine", file, None, tmp_path / "mine")
    config.write_text(config.read_text().replace("values", "poetry"))
    with pytest.raises(UserError, match="task=poetry in mine; use landmarks, classes"):
        load_config(str(config))


@pytest.mark.slow
def test_the_built_design_equals_the_file(file, tmp_path):
    config = write_network("mine", file, None, tmp_path / "mine")
    report = Build(load_config(str(config)), tmp_path / "out").until().report()
    assert report["bit_exact"]
    assert (report["equal_to_file"], report["images_compared"]) == (8, 8)


def unsnapped(network, folder):
    """Configuration of a landmark network as Brevitas exports it, before our export snaps it."""
    size = network.image_size
    quantised = post_train(network, as_tensor(model_images(16, size, seed=0)))
    path = folder / "unsnapped.onnx"
    to_qonnx(quantised).save(str(path))
    images = folder / "images.npz"
    np.savez(images, images=model_images(4, size, seed=1))
    return load_config(str(write_network("unsnapped", path, images, folder / "own")))


@pytest.mark.parametrize("kinds", [{}, {"stem": "depthwise", "head": "grid"}])
def test_landmarks_equal_their_file_without_our_export(kinds, tmp_path):
    """The way of foreign networks finds integers for ours too, map of cells included."""
    network = random_network(width=0.125, num_landmarks=5, s3="conv1x1", image_size=32, **kinds)
    cfg = unsnapped(network, tmp_path)
    assert Golden.load(cfg).file_outputs is not None
    Build(cfg, tmp_path / "build").until("map")  # compared with the file after each step


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pfld_1x_fp32.pt", "pfld_eyes_fp32.pt"])
def test_shipped_landmarks_equal_their_file_without_our_export(name, tmp_path):
    cfg = unsnapped(load_network(ZOO / name), tmp_path)
    Build(cfg, tmp_path / "build").until("map")
