# SPDX-License-Identifier: Apache-2.0
"""The commands ptq, qat and export, and the images that they read."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
import torch
from click.testing import CliRunner, Result

from host.common.errors import UserError
from model.__main__ import main
from model.data.labelled import labelled_images, portrait, read_images
from model.network.checkpoint import load_network, load_quantised
from tests.model.samples import random_network

SMALL = {"width": 0.125, "s3": "conv1x1", "image_size": 32}


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    network = random_network(**SMALL)
    path = tmp_path / "fp32.pt"
    torch.save({"config": network.config(), "state_dict": network.state_dict()}, path)
    return path


def test_from_checkpoint_to_files(checkpoint: Path, tmp_path: Path) -> None:
    int8, tuned, out = (tmp_path / n for n in ("int8.pt", "tuned.pt", "net.onnx"))
    first = run("ptq", "--weights", checkpoint, "--out", int8, "--count", 8)
    assert first.exit_code == 0, first.output
    assert "int8.pt: INT8, calibrated on 8 images" in first.output
    second = run("qat", "--weights", int8, "--out", tuned, "--count", 8, "--steps", 2, "--batch", 4)
    assert second.exit_code == 0, second.output
    third = run("export", "--weights", tuned, "--out", out, "--count", 3)
    assert third.exit_code == 0, third.output
    with np.load(tmp_path / "net_golden.npz") as golden:
        assert golden["images"].shape == (3, 32, 32)
        assert np.array_equal(golden["images"][0], portrait(32))
    fourth = run("evaluate", "--model", out, "--count", 4)
    assert fourth.exit_code == 0, fourth.output
    assert re.match(r"integer +4 faces  NME \d+\.\d\d %  FR@10 \d+\.\d %", fourth.output)


def test_fp32_goes_to_onnxruntime_unchanged(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "fp32.onnx"
    result = run("export", "--fp32", "--weights", checkpoint, "--out", out)
    assert result.exit_code == 0, result.output
    session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    images = np.random.default_rng(4).random((3, 1, 32, 32), np.float32)
    (found,) = session.run(None, {"image": images})
    with torch.no_grad():
        expected = load_network(checkpoint)(torch.from_numpy(images)).numpy()
    assert np.abs(found - expected).max() < 1e-5


def test_failures_are_one_line_and_exit_1(checkpoint: Path, tmp_path: Path) -> None:
    result = run("export", "--weights", checkpoint, "--out", tmp_path / "net.onnx")
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert "holds an FP32 network; quantise it first" in result.output
    assert len(result.output.splitlines()) == 1
    assert run("export", "--weights", checkpoint).exit_code == 2


def test_portrait_is_a_grey_face() -> None:
    image = portrait(112)
    assert image.shape == (112, 112)
    assert image.dtype == np.uint8
    assert 90 < image.mean() < 190  # mostly skin


def test_procedural_faces_are_scaled_and_repeatable() -> None:
    images, landmarks = labelled_images(None, 32, 2, seed=5)
    again, _ = labelled_images(None, 32, 2, seed=5)
    assert images.shape == (2, 32, 32)
    assert landmarks.shape == (2, 98, 2)
    assert np.array_equal(images, again)


def test_files_of_images_are_checked(tmp_path: Path) -> None:
    good = tmp_path / "good.npz"
    np.savez(good, images=np.zeros((5, 8, 8), np.uint8), landmarks=np.zeros((5, 98, 2)))
    assert len(read_images(good, 8, 3)[0]) == 3
    with pytest.raises(UserError, match=r"images are uint8 of shape \(5, 8, 8\); the network need"):
        read_images(good, 16, 3)
    text = tmp_path / "text.npz"
    text.write_text("nothing")
    with pytest.raises(UserError, match=r"text\.npz is no npz file with images and landmarks"):
        read_images(text, 8, 3)
    content, damaged = good.read_bytes(), tmp_path / "damaged.npz"
    np.save(tmp_path / "one.npy", np.zeros(3))
    for data in (content[: len(content) // 2], b"", (tmp_path / "one.npy").read_bytes()):
        damaged.write_bytes(data)
        with pytest.raises(UserError, match=r"damaged\.npz is no npz file with images and land"):
            read_images(damaged, 8, 3)
    uneven = tmp_path / "uneven.npz"
    np.savez(uneven, images=np.zeros((5, 8, 8), np.uint8), landmarks=np.zeros((4, 98, 2)))
    with pytest.raises(UserError, match=r"landmarks \(4, 98, 2\) do not fit 5 images"):
        read_images(uneven, 8, 3)


def test_quantising_on_the_faces_of_a_data_set(
    checkpoint: Path, wflw_root: Path, tmp_path: Path
) -> None:
    data = ("--data", f"wflw={wflw_root}", "--cache", tmp_path / "cache")
    int8, tuned = tmp_path / "int8.pt", tmp_path / "tuned.pt"
    first = run("ptq", "--weights", checkpoint, "--out", int8, *data)
    assert first.exit_code == 0, first.output
    assert "int8.pt: INT8, calibrated on 3 images" in first.output  # one face, three times
    options = ("--weights", int8, "--out", tuned, "--steps", 2, "--batch", 2)
    second = run("qat", *options, *data)
    assert second.exit_code == 0, second.output
    assert re.search(r"^before: \d+\.\d\d % NME on 1 faces$", second.output, re.MULTILINE)
    third = run("qat", *options, *data, "--steps", 3, "--resume")
    assert third.exit_code == 0, third.output
    assert "tuned.pt: INT8, fine-tuned for 3 steps" in third.output
    before, after = (load_quantised(path).state_dict() for path in (int8, tuned))
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_contact_sheet_of_training_faces(wflw_root: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    data = ("--data", f"wflw={wflw_root}", "--cache", tmp_path / "cache")
    result = run("batch", "--config", "finish", "--sheet", sheet, "--count", 3, *data)
    assert result.exit_code == 0, result.output
    assert cv2.imread(str(sheet)).shape == (224, 8 * 224, 3)


def test_data_option_is_checked(tmp_path: Path) -> None:
    options = ("--config", "best", "--out", tmp_path / "out", "--cache", tmp_path)
    missing = run("train", *options, "--data", "wflw")
    assert missing.exit_code == 2
    assert "'wflw' is not SOURCE=FOLDER with an existing folder" in missing.output
    other = run("train", *options, "--data", f"cofw={tmp_path}")
    assert other.exit_code == 1
    assert "--data cofw: this configuration does not read cofw; it reads wflw" in other.output
    nothing = run("train", *options)
    assert nothing.exit_code == 1
    assert "nothing to train on; give the folder of a source with --data" in nothing.output


def test_the_average_of_two_stages_lies_between_them(checkpoint: Path, tmp_path: Path) -> None:
    second, out = tmp_path / "second.pt", tmp_path / "mean.pt"
    later = random_network(**SMALL)
    with torch.no_grad():
        for value in later.parameters():
            value.add_(1.0)
    torch.save({"config": later.config(), "state_dict": later.state_dict()}, second)
    both = ("--weights", checkpoint, "--with", second)
    result = run("average", *both, "--share", 0.25, "--out", out)
    assert result.exit_code == 0, result.output
    a, b, mean = (load_network(path).state_dict() for path in (checkpoint, second, out))
    for name, value in mean.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, 0.75 * a[name] + 0.25 * b[name])
        else:
            assert torch.equal(value, a[name])


@pytest.mark.parametrize(
    ("share", "other", "message"),
    [
        (1.5, SMALL, "share=1.5; give a number from 0 to 1"),
        (0.5, SMALL | {"width": 0.25}, "are not the same network; average stages of one"),
    ],
)
def test_what_has_no_average(
    checkpoint: Path, tmp_path: Path, share: float, other: dict[str, object], message: str
) -> None:
    second, out = tmp_path / "second.pt", tmp_path / "mean.pt"
    network = random_network(**other)
    torch.save({"config": network.config(), "state_dict": network.state_dict()}, second)
    both = ("--weights", checkpoint, "--with", second)
    result = run("average", *both, "--share", share, "--out", out)
    assert message in (result.output + str(result.exception))
    assert not out.exists()
