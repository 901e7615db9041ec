# SPDX-License-Identifier: Apache-2.0
"""The command: as a script and as a module, its JSON, its picture, its one-line errors."""

import json
import resource
import subprocess
import sys
import tempfile

import cv2
import numpy as np
import pytest

from host import run
from host.backends import open_backend
from host.common.paths import ZOO
from host.face.crop import PORTRAIT_SQUARE, Transform, crop_square
from host.face.landmarks import inter_ocular
from tests.host.conftest import OUTPUTS, ROOT, SIZE

SCRIPT = [str(ROOT / "host" / "run.py")]
MODULE = ["-m", "host.run"]


def call(*arguments, cwd=ROOT, start=SCRIPT, **options):
    command = [sys.executable, *start, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, **options)


def fails(capsys, *arguments):
    """Run the command in this process; return the one line on stderr."""
    assert run.main([str(argument) for argument in arguments]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    return printed.err[len("error: ") : -1]


# -- results ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [SCRIPT, MODULE], ids=["script", "module"])
def test_the_command_prints_json_and_writes_the_picture(
    start, portrait_file, tiny_model, shape, tmp_path
):
    out = tmp_path / "face.png"
    cwd = tmp_path if start is SCRIPT else ROOT
    done = call(
        "--source", portrait_file, "--model", tiny_model, "--json", "--out", out,
        cwd=cwd, start=start,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    check_result(json.loads(done.stdout), portrait_file, tiny_model, shape)
    assert cv2.imread(str(out)).shape[1] > 1000
    assert [path.name for path in tmp_path.iterdir()] == ["face.png"]


def check_result(result, source, model, shape):
    assert list(result) == [
        "format", "source", "picture", "box", "score", "roll_deg", "crop", "landmarks", "times_ms",
        "backend", "model", "details", "detector", "clock", "faces",
    ]  # fmt: skip
    assert result["format"] == 1
    assert result["source"] == str(source)
    assert result["picture"] == {"width": 512, "height": 512}
    assert [type(value) for value in result["box"]] == [int] * 4
    assert (result["backend"], result["model"]) == ("cpu", str(model))
    assert list(result["details"]) == ["threads"]
    assert [face["box"] for face in result["faces"]] == [result["box"]]
    assert result["faces"][0]["landmarks"] == result["landmarks"]
    assert 0.5 < result["score"] <= 1
    assert (result["roll_deg"], result["detector"]) == (0, "blazeface")
    assert list(result["times_ms"]) == ["load", "detect", "crop", "infer"]
    assert all(value > 0 for value in result["times_ms"].values())
    fractions = Transform(**result["crop"]).to_crop(result["landmarks"])
    offset = fractions - shape
    assert fractions.shape == (98, 2)
    assert np.ptp(offset) < 1e-4
    assert 0.02 < offset.mean() < 0.08  # a tenth of the crop's mean brightness


def test_sim_adds_its_accumulators_and_statistics(portrait_file, make_build, tmp_path, capsys):
    out = tmp_path / "face.jpg"
    arguments = ["--source", portrait_file, "--backend", "sim", "--build", make_build()]
    assert run.main([*map(str, arguments), "--json", "--out", str(out)]) == 0
    details = json.loads(capsys.readouterr().out)["details"]
    assert np.array(details["accumulators"]).shape == (1, OUTPUTS)
    assert details["stats"]["frame_ends"] == [1000]
    assert details["clk_mhz"] == 250
    assert out.is_file()


def test_without_json_a_line_tells_where_the_picture_is(
    portrait_file, tiny_model, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(run, "DEFAULT_OUT", tmp_path / "build" / "face.png")
    assert run.main(["--source", str(portrait_file), "--model", str(tiny_model)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("98 landmarks, backend cpu (load ")
    assert printed.endswith(f"-> {tmp_path}/build/face.png\n")
    assert (tmp_path / "build" / "face.png").is_file()


def test_json_alone_writes_no_picture(portrait_file, tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "DEFAULT_OUT", tmp_path / "build" / "face.png")
    assert run.main(["--source", str(portrait_file), "--model", str(tiny_model), "--json"]) == 0
    assert list(tmp_path.iterdir()) == []


def test_the_network_gets_the_crop_and_equalisation_when_asked(portrait_file, tiny_model):
    class Spy:
        name, model, input_size, details = "spy", "-", SIZE, {}

        def infer(self, images):
            self.images = images
            return np.full((1, 98, 2), 0.5)

    plain, equalised = Spy(), Spy()
    run.find_landmarks(str(portrait_file), plain)
    result = run.find_landmarks(str(portrait_file), equalised, equalise=True)
    assert plain.images.shape == (1, SIZE, SIZE)
    assert plain.images.dtype == np.uint8
    assert (cv2.equalizeHist(plain.images[0]) == equalised.images[0]).all()
    (face,) = result.faces
    middle = np.array([face.crop.left, face.crop.top]) + face.crop.side / 2
    assert (face.landmarks == middle).all()


def test_the_backend_is_closed_whatever_happens(monkeypatch, tmp_path, capsys):
    class Spy:
        closed = False

        def close(self):
            self.closed = True

    spy = Spy()
    monkeypatch.setattr(run, "open_backend", lambda *_, **__: spy)
    assert "cannot read" in fails(capsys, "--source", tmp_path / "no.png", "--json")
    assert spy.closed


def test_every_face_is_in_the_result_and_the_drawing(portrait, tiny_model, tmp_path, capsys):
    two, out = tmp_path / "two.png", tmp_path / "out.png"
    cv2.imwrite(str(two), np.concatenate([portrait, portrait], axis=1))
    words = ["--source", two, "--model", tiny_model, "--json", "--out", out]
    assert run.main([str(word) for word in words]) == 0
    faces = json.loads(capsys.readouterr().out)["faces"]
    assert len(faces) == 2
    assert abs(abs(faces[0]["box"][0] - faces[1]["box"][0]) - 512) < 10
    assert run.main([*map(str, words[:-3]), "--out", str(out)]) == 0
    assert "98 landmarks of each of 2 faces, backend cpu" in capsys.readouterr().out


def test_a_picture_that_lies_on_its_side_can_be_turned(portrait, tiny_model, tmp_path, capsys):
    side = tmp_path / "side.png"
    cv2.imwrite(str(side), np.rot90(portrait))
    words = ["--source", str(side), "--model", str(tiny_model), "--json", "--rotate", "90"]
    assert run.main(words) == 0
    assert json.loads(capsys.readouterr().out)["roll_deg"] == 0
    assert run.main(words[:-2]) == 0
    assert abs(json.loads(capsys.readouterr().out)["roll_deg"] + 90) < 15


# -- errors ----------------------------------------------------------------------------------------


def test_bad_sources_end_in_one_line(capsys, tmp_path, tiny_model):
    text = tmp_path / "text.png"
    text.write_text("no picture\n")
    empty = tmp_path / "empty.png"
    cv2.imwrite(str(empty), np.zeros((90, 80), np.uint8))
    for source, message in (
        (tmp_path / "no.png", "cannot read the picture"),
        (tmp_path / "none", "cannot read the picture"),
        (text, "is no picture that OpenCV reads"),
        (empty, "no face found in the 80x90 picture"),
    ):
        assert message in fails(capsys, "--source", source, "--model", tiny_model, "--json")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--seconds", 3, "--report", "r.html"],
            "--seconds, --report: only for moving sources, and",
        ),
        (["--mqtt", "host", "--window"], "--window, --mqtt: only for moving sources"),
        (["--rotate", 45], "--rotate 45 is not possible; give 0, 90, 180 or 270"),
        (["--json", "photo.JPG"], "would write text into a file with the ending of a picture or"),
        (["--json", "run.mp4"], "would write text into a file with the ending of a picture or"),
        (["--json", "a.json", "--out", "a.json"], "is also an input or another output; give"),
    ],
)
def test_options_that_would_do_harm_or_nothing_are_refused(capsys, portrait_file, options, message):
    assert message in fails(capsys, "--source", portrait_file, *options)


def test_a_picture_is_not_written_over(capsys, portrait_file):
    before = portrait_file.read_bytes()
    message = "is also an input or another output; give another name"
    assert message in fails(capsys, "--source", portrait_file, "--out", portrait_file)
    assert portrait_file.read_bytes() == before


@pytest.mark.parametrize("source", ["portrait", "synthetic"])
def test_a_closed_stdout_is_one_line(portrait_file, tiny_model, source):
    name = portrait_file if source == "portrait" else source
    words = [sys.executable, *SCRIPT, "--source", str(name), "--model", str(tiny_model), "--json"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        process.stdout.close()
        error = process.stderr.read()
        assert process.wait(60) == 1
    assert "Traceback" not in error
    assert error.splitlines()[-1].startswith("error: ")
    done = subprocess.run(
        ["sh", "-c", f"exec {' '.join(words)} >&-"], capture_output=True, text=True, cwd=ROOT,
        check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr


def test_bad_backends_end_in_one_line(capsys, tmp_path, make_build):
    text = tmp_path / "text.onnx"
    text.write_text("no\nmodel\n")
    for arguments, message in (
        (["--backend", "tpu"], "unknown backend 'tpu'; use auto, gpu, cpu, sim, csim, fpga"),
        (["--model", tmp_path / "no.onnx"], "cannot read the model"),
        (["--model", text], "is no ONNX model that onnxruntime runs"),
        (["--backend", "sim", "--build", tmp_path], "make it with: python -m build_flows build"),
        (["--backend", "sim", "--model", text], "is for the backends cpu and gpu"),
        (["--build", tmp_path], "is for the backends sim, csim, fpga"),
    ):
        assert message in fails(capsys, *arguments, "--json")


def test_a_failing_simulator_ends_in_one_line(
    capsys, portrait_file, make_build, monkeypatch, tmp_path
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    build = make_build("sys.exit('simulator: deadlock: nothing in or out')")
    line = fails(capsys, "--source", portrait_file, "--backend", "sim", "--build", build, "--json")
    assert "exit code 1: simulator: deadlock: nothing in or out; log: " in line


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing/face.png", "--out {out} cannot be written: {folder} is missing or not writable"),
        ("face.gif", "cannot write {out}: no picture format for the ending '.gif'"),
        ("folder.png", "cannot write {out}: not a regular file"),
    ],
)
def test_bad_outputs_end_in_one_line(capsys, tmp_path, portrait_file, tiny_model, name, message):
    (tmp_path / "folder.png").mkdir()
    out = tmp_path / name
    line = fails(capsys, "--source", portrait_file, "--model", tiny_model, "--out", out)
    assert line.startswith(message.format(out=out, folder=out.parent))
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]


def test_folders_of_all_outputs_are_looked_at_first(capsys, tmp_path, portrait_file, tiny_model):
    words = ["--source", portrait_file, "--model", tiny_model, "--out", tmp_path / "face.png"]
    line = fails(capsys, *words, "--json", tmp_path / "none" / "face.json")
    assert line.startswith(f"--json {tmp_path / 'none' / 'face.json'} cannot be written: ")
    assert not (tmp_path / "face.png").exists()


def test_a_full_disk_leaves_the_former_picture(portrait_file, tiny_model, tmp_path):
    """The system refuses files beyond 50 kB, as a full disk would in the middle of the picture."""
    out = tmp_path / "face.png"
    out.write_bytes(b"former")
    done = call(
        "--source", portrait_file, "--model", tiny_model, "--out", out,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)),
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: cannot write {out}: File too large; ")
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["face.png"]
    assert out.read_bytes() == b"former"


def test_a_full_disk_under_the_simulators_frames_is_one_line(
    capsys, portrait_file, make_build, monkeypatch
):
    def fail(*_):
        raise OSError(28, "No space left on device", "frames.bin")

    build = make_build()
    monkeypatch.setattr("pathlib.Path.write_bytes", fail)
    line = fails(capsys, "--source", portrait_file, "--backend", "sim", "--build", build, "--json")
    assert line == "frames.bin: No space left on device"


def test_ctrl_c_ends_in_one_line(capsys, monkeypatch, portrait_file, tiny_model, tmp_path):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "side_by_side", interrupt)
    out = tmp_path / "face.png"
    line = fails(capsys, "--source", portrait_file, "--model", tiny_model, "--out", out)
    assert line == "interrupted; nothing was written"
    assert list(tmp_path.iterdir()) == []


def test_unknown_options_exit_with_2():
    done = call("--sauce", "astronaut")
    assert done.returncode == 2
    assert "unrecognized arguments: --sauce" in done.stderr


# -- the shipped model -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def golden():
    with np.load(ZOO / "pfld_025x_golden.npz") as content:
        return dict(content)


def test_the_first_golden_image_is_the_portraits_crop(golden, portrait):
    assert (golden["images"][0] == crop_square(portrait, PORTRAIT_SQUARE)).all()


def test_the_shipped_model_gives_the_integer_reference(golden):
    """A millionth of the inter-ocular distance is the rounding of float32 landmarks."""
    found = open_backend("cpu", ZOO / "pfld_025x_exact.onnx").infer(golden["images"])
    error = np.linalg.norm(found - golden["landmarks"], axis=2)
    assert (error / inter_ocular(golden["landmarks"])[:, None]).max() < 1e-6
