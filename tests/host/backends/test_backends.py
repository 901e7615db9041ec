# SPDX-License-Identifier: Apache-2.0
"""Backends cpu and sim on stand-ins, and every way in which they refuse."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from host import backends
from host.backends import DEFAULT_MODEL, cpu, open_backend, open_monitor
from host.common.errors import ToolError, UserError
from host.common.paths import ZOO
from host.face.landmarks import inter_ocular
from model.faces.render import make_faces
from tests.host.conftest import OUTPUTS, SIZE, save_model, settings


@pytest.fixture
def images():
    return np.random.default_rng(5).integers(0, 256, (3, SIZE, SIZE), np.uint8)


# -- which one -------------------------------------------------------------------------------------


def test_an_unknown_backend_is_refused():
    known = "auto, gpu, cpu, sim, csim, fpga"
    with pytest.raises(UserError, match=f"unknown backend 'tpu'; use {known}"):
        open_backend("tpu")


def test_auto_takes_the_first_that_works(monkeypatch, tiny_model):
    assert open_backend("auto", tiny_model).name == "cpu"  # this onnxruntime has no CUDA
    monkeypatch.setattr("host.backends.gpu.GpuBackend", lambda model: f"gpu {model.name}")
    assert open_backend("auto", tiny_model) == "gpu pfld_eyes_tiny.onnx"
    monkeypatch.undo()
    with pytest.raises(UserError, match=r"cannot read the model no\.onnx"):
        open_backend("auto", Path("no.onnx"))


def test_gpu_says_what_it_lacks(monkeypatch, tiny_model):
    import onnxruntime

    with pytest.raises(UserError, match="gpu needs an onnxruntime with CUDA or TensorRT; pip"):
        open_backend("gpu", tiny_model)
    offered = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: offered)
    monkeypatch.setattr("host.backends.gpu.open_session", lambda *_: Silent())
    with pytest.raises(UserError, match="found no GPU for CUDAExecutionProvider; check the dr"):
        open_backend("gpu", tiny_model)


class Silent:
    """A session that went to the processor without an error."""

    def get_providers(self):
        return ["CPUExecutionProvider"]


def test_arguments_of_the_other_backend_are_refused():
    with pytest.raises(UserError, match=r"--model m\.onnx is for the backends cpu and gpu; sim"):
        open_backend("sim", model=Path("m.onnx"))
    with pytest.raises(UserError, match="--build b is for the backends sim, csim, fpga; cpu runs"):
        open_backend("cpu", build=Path("b"))


# -- cpu -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", ["N", 1])
def test_cpu_gives_the_graphs_landmarks(batch, tmp_path, tiny_model, shape, images):
    if batch == 1:
        nodes = [
            helper.make_node("GlobalAveragePool", ["image"], ["mean"]),
            helper.make_node("Flatten", ["mean"], ["flat"]),
            helper.make_node("Gemm", ["flat", "gain", "shape"], ["landmarks"]),
        ]
        constants = {"gain": np.full((1, OUTPUTS), 0.1, np.float32), "shape": shape.reshape(-1)}
        tiny_model = save_model(
            tmp_path / "one.onnx", nodes, constants, [1, 1, SIZE, SIZE], [1, OUTPUTS]
        )
    backend, told = open_backend("cpu", model=tiny_model), []
    found = backend.infer(images, lambda: told.append("the network begins"))
    assert told == ["the network begins"]
    expected = shape + images.mean((1, 2))[:, None, None] / 2550
    assert found.dtype == np.float64
    assert found.shape == (3, 98, 2)
    assert np.abs(found - expected).max() < 1e-6
    assert (backend.name, backend.model, backend.input_size) == ("cpu", str(tiny_model), SIZE)
    assert set(backend.details) == {"threads"}
    backend.close()


def test_cpu_sums_of_byte_products_do_not_saturate(tmp_path):
    """255 * 127 twice is beyond 16 bits, where x86 kernels without VNNI saturate by default."""
    channels, size = 8, 4
    constants = {
        "byte": np.float32(1 / 255),
        "zero": np.uint8(0),
        "weight_int": np.full((channels, 1, size, size), 127, np.int8),
        "weight_scale": np.full(channels, 1 / 127, np.float32),
        "weight_zero": np.zeros(channels, np.int8),
        "step": np.float32(size * size / 255),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["image", "byte", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "byte", "zero"], ["pixels"]),
        helper.make_node(
            "DequantizeLinear", ["weight_int", "weight_scale", "weight_zero"], ["weight"], axis=0
        ),
        helper.make_node("Conv", ["pixels", "weight"], ["sums"]),
        helper.make_node("QuantizeLinear", ["sums", "step", "zero"], ["r"]),
        helper.make_node("DequantizeLinear", ["r", "step", "zero"], ["features"]),
        helper.make_node("Flatten", ["features"], ["landmarks"]),
    ]
    constants = {name: np.asarray(value) for name, value in constants.items()}
    path = save_model(tmp_path / "q.onnx", nodes, constants, ["N", 1, size, size], ["N", channels])
    found = open_backend("cpu", model=path).infer(np.full((1, size, size), 255, np.uint8))
    assert np.abs(found - size * size).max() < 1e-3


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx2 avx512_vnni\n\nprocessor\t: 1\n", True),
        ("flags\t\t: fpu avx_vnni avx2\n", True),
        ("flags\t\t: fpu avx2 avx512f\nbugs\t\t: avx512_vnni\n", False),
        ("Features\t: fp asimd\n", False),  # of an ARM processor
        ("", False),
    ],
)
def test_processors_with_exact_sums_of_bytes(tmp_path, text, exact):
    (tmp_path / "cpuinfo").write_text(text)
    assert cpu.sums_bytes_exactly(tmp_path / "cpuinfo") is exact


def test_an_unknown_processor_may_saturate(tmp_path):
    assert not cpu.sums_bytes_exactly(tmp_path / "none")


def test_cpu_sums_are_the_same_without_the_slow_setting(monkeypatch):
    """Where the processor sums exactly, avoiding saturation changes no bit of the shipped file."""
    if not cpu.sums_bytes_exactly():
        pytest.skip("this processor has no VNNI")
    faces = make_faces(4, 17).images
    quick = ZOO / "pfld_025x_qdq.onnx"
    found = open_backend("cpu", quick, threads=1).infer(faces)
    monkeypatch.setattr(cpu, "sums_bytes_exactly", lambda: False)
    careful = open_backend("cpu", quick, threads=1).infer(faces)
    np.testing.assert_array_equal(found, careful)


def test_cpu_names_a_missing_model(tmp_path):
    with pytest.raises(UserError, match=r"cannot read the model .*no\.onnx: No such file"):
        open_backend("cpu", model=tmp_path / "no.onnx")


@pytest.mark.parametrize("content", [b"", b"no protobuf at all", b"\x08\x08"])
def test_cpu_refuses_what_is_no_onnx_model(tmp_path, content):
    path = tmp_path / "bad.onnx"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"bad\.onnx is no ONNX model that onnxruntime runs: \S"):
        open_backend("cpu", model=path)


@pytest.mark.parametrize(
    ("shape_in", "type_in"),
    [
        ([1, 3, SIZE, SIZE], TensorProto.FLOAT),
        ([1, 1, SIZE, 100], TensorProto.FLOAT),
        ([4, 1, SIZE, SIZE], TensorProto.FLOAT),
        ([1, SIZE], TensorProto.FLOAT),
        ([1, 1, SIZE, SIZE], TensorProto.DOUBLE),
    ],
)
def test_cpu_refuses_other_inputs(tmp_path, shape_in, type_in):
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["float"], ["landmarks"]),
    ]
    path = save_model(tmp_path / "m.onnx", nodes, {}, shape_in, ["a", "b"], type_in)
    with pytest.raises(UserError, match=r"m\.onnx maps image .* the host needs one float input"):
        open_backend("cpu", model=path)


def test_cpu_names_missing_onnxruntime(monkeypatch, tiny_model):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match="cpu needs onnxruntime, which is missing; pip install"):
        open_backend("cpu", model=tiny_model)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((SIZE, SIZE), np.uint8),
        np.zeros((0, SIZE, SIZE), np.uint8),
        np.zeros((1, SIZE, SIZE), np.float32),
        np.zeros((1, 96, 96), np.uint8),
    ],
)
def test_both_refuse_other_images(images, tiny_model, make_build):
    for backend in (open_backend("cpu", tiny_model), open_backend("sim", build=make_build())):
        with pytest.raises(UserError, match=r"the network takes uint8 \(N, 112, 112\)"):
            backend.infer(images)


@pytest.mark.parametrize(
    ("cores", "seconds", "chosen"),
    [
        (4, {1: 4.0, 2: 2.0, 4: 1.0}, 4),
        (4, {1: 1.0, 2: 2.0}, 1),  # a small network: the second thread costs time
        (4, {1: 4.0, 2: 2.0, 4: 1.9}, 2),  # not worth two more cores
        (2, {1: 4.0, 2: 2.0}, 2),
        (1, {1: 4.0}, 1),
    ],
)
def test_cpu_takes_the_threads_that_are_fastest(cores, seconds, chosen, monkeypatch, tiny_model):
    opened = []
    real = cpu.open_session

    def note(model, providers, threads):
        opened.append(threads)
        return real(model, providers, threads)

    monkeypatch.setattr(cpu, "open_session", note)
    monkeypatch.setattr(cpu.os, "cpu_count", lambda: cores)
    monkeypatch.setattr(cpu.CpuBackend, "_measure", lambda self: seconds[opened[-1]])
    backend = open_backend("cpu", tiny_model)
    assert opened == list(seconds)
    assert backend.details == {"threads": chosen}
    used = backend.session.get_session_options().intra_op_num_threads
    assert used == chosen


@pytest.mark.parametrize(
    ("seconds", "given", "taken"),
    [(0.03, False, "monitor"), (0.05, False, "small"), (0.05, True, "given")],
)
def test_a_slow_processor_watches_with_the_small_network(
    seconds, given, taken, monkeypatch, caplog, tmp_path, tiny_model
):
    files = {name: tmp_path / f"{name}.onnx" for name in ("monitor", "small", "given")}
    for file in files.values():
        file.write_bytes(tiny_model.read_bytes())
    monkeypatch.setattr(backends, "DEFAULT_MODEL", files["monitor"])
    monkeypatch.setattr(backends, "SMALL_MODEL", files["small"])
    monkeypatch.setattr(cpu.CpuBackend, "_measure", lambda self: seconds)
    backend = open_monitor("cpu", files["given"] if given else None)
    assert backend.model == str(files[taken])
    told = [record.getMessage() for record in caplog.records]
    assert told == (
        ["one face takes 50 ms with monitor.onnx on this processor; small.onnx is taken, --model "
         "chooses"] if taken == "small" else []
    )  # fmt: skip


def test_cpu_takes_the_threads_that_it_is_given(tiny_model):
    backend = open_backend("cpu", tiny_model, threads=3)
    assert backend.details == {"threads": 3}
    assert backend.session.get_session_options().intra_op_num_threads == 3


@pytest.mark.parametrize("threads", [-3, 1000])
def test_cpu_refuses_threads_that_cannot_be(tiny_model, threads):
    with pytest.raises(UserError, match=f"{threads} threads are not possible; give 1 to 256"):
        open_backend("cpu", tiny_model, threads=threads)


# -- sim -------------------------------------------------------------------------------------------


def test_sim_gives_accumulators_landmarks_and_statistics(make_build, images):
    backend = open_backend("sim", build=make_build())
    result = backend.simulate(images)
    words = images.reshape(3, -1)[:, :OUTPUTS].astype(int) - 128
    assert result.accumulators.dtype == np.int32
    assert (result.accumulators == words).all()
    bias = np.array(settings()["output"]["bias"])
    assert result.stats["frame_ends"] == [1000, 2000, 3000]
    told = []
    found = backend.infer(images, lambda: told.append("the network begins"))
    assert (found == (words / 1024 + bias).reshape(3, 98, 2)).all()
    assert told == ["the network begins"]
    assert backend.details["accumulators"] == words.tolist()
    assert backend.details["stats"] == result.stats
    backend.close()


def test_sim_works_from_a_relative_folder(make_build, images, monkeypatch):
    build = make_build()
    monkeypatch.chdir(build.parent)
    assert open_backend("sim", build=Path(build.name)).infer(images).shape == (3, 98, 2)


def test_sim_names_a_missing_build(tmp_path):
    with pytest.raises(UserError, match=r"cannot read .*settings\.json: No such file .*; make it"):
        open_backend("sim", build=tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"settings\.json is no JSON: .*; build again"),
        ("[]", r"settings\.json has format None; this host reads 1, build again"),
        ('{"format": 2}', r"settings\.json has format 2; this host reads 1, build again"),
        ('{"format": 1}', r"settings\.json is not as expected: KeyError\('input'\); build again"),
    ],
)
def test_sim_refuses_damaged_settings(make_build, text, message):
    build = make_build()
    (build / "settings.json").write_text(text)
    with pytest.raises(UserError, match=message):
        open_backend("sim", build=build)


@pytest.mark.parametrize(
    "changes",
    [
        {"input": {"shape": [112, 100, 1], "dtype": "UINT8"}},
        {"input": {"shape": [112, 112, 3], "dtype": "UINT8"}},
        {"input": {"shape": [112, 112, 1], "dtype": "INT8"}},
        {"output": settings()["output"] | {"scale": [1.0, 2.0, 3.0]}},
        {"output": settings()["output"] | {"shape": [1, 196]}},
        {"output": {"shape": [3], "scale": [1, 1, 1], "bias": [0, 0, 0]}},
        {"clk_mhz": "fast"},
    ],
)
def test_sim_refuses_settings_that_do_not_fit(make_build, changes):
    with pytest.raises(UserError, match=r"settings\.json is not as expected: .*; build again"):
        open_backend("sim", build=make_build(**changes))


def test_sim_names_a_missing_simulator(make_build):
    build = make_build()
    (build / "sim" / "simulator").unlink()
    with pytest.raises(UserError, match="sim/simulator is missing or not executable; build again"):
        open_backend("sim", build=build)


def test_sim_names_a_simulator_of_another_machine(make_build, images):
    build = make_build()
    (build / "sim" / "simulator").write_bytes(b"\x7fELF nothing for this machine")
    backend = open_backend("sim", build=build)
    with pytest.raises(UserError, match="cannot start .*: Exec format error; build again on this"):
        backend.infer(images)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("sys.exit('simulator: deadlock')", "exit code 1: simulator: deadlock"),
        ("sys.exit(3)", "exit code 3: no message"),
        ("words = words[:, 1:]", "wrote 2340 bytes for 3 frames of 196 words, not 2352"),
        ("sys.exit(0)", "wrote 0 bytes for 3 frames of 196 words, not 2352"),
        ("words.tofile(options['--output']); sys.exit(0)", "left no usable statistics"),
        ("json.dumps = lambda _: '[1]'", r"left statistics that are no JSON object: \[1\]"),
    ],
)
def test_sim_tells_how_the_simulator_failed(
    make_build, images, damage, reason, monkeypatch, tmp_path
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    backend = open_backend("sim", build=make_build(damage))
    with pytest.raises(ToolError, match=rf"sim/simulator: {reason}") as failure:
        backend.infer(images)
    assert failure.value.log.read_text().startswith(f"{backend.model} --input ")
    kept = [path for path in tmp_path.iterdir() if path.name != "build"]
    assert kept == [failure.value.log]
    assert "\n" not in str(failure.value)


def test_sim_leaves_no_files_behind(make_build, images, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    build = make_build()
    program = (
        "import sys, numpy as np; from pathlib import Path; from host.backends import open_backend;"
        f"open_backend('sim', build=Path({str(build)!r})).infer(np.zeros((1, 112, 112), np.uint8))"
    )
    environment = os.environ | {"TMPDIR": str(scratch)}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)
    assert list(scratch.iterdir()) == []
    assert sorted(p.name for p in build.iterdir()) == ["settings.json", "sim"]
    assert json.loads((build / "settings.json").read_text()) == settings()


# -- the shipped networks --------------------------------------------------------------------------


def test_what_runs_here_agrees_on_fifty_faces():
    """The same crops through FP32 and INT8 of the full width, one by one and as a batch."""
    faces = make_faces(50, seed=11).images
    full = open_backend("cpu", DEFAULT_MODEL, threads=1)
    floating, batch = full.infer(faces), [full.infer(face[np.newaxis])[0] for face in faces[:5]]
    assert np.abs(floating[:5] - np.stack(batch)).max() < 1e-5
    exact = open_backend("cpu", ZOO / "pfld_025x_exact.onnx", threads=1).infer(faces)
    quick = ZOO / "pfld_025x_qdq.onnx"
    qdq = open_backend("cpu", quick, threads=1).infer(faces)
    eyes = inter_ocular(exact)[:, None]
    error = np.linalg.norm(exact - qdq, axis=2) / eyes
    assert error.mean() < 0.005
    apart = np.linalg.norm(floating - exact, axis=2) / eyes
    assert np.median(apart) < 0.15
