# SPDX-License-Identifier: Apache-2.0
"""Export: the snapped grid, the golden file, the QDQ file."""

from __future__ import annotations

import copy
import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from qonnx.core.modelwrapper import ModelWrapper
from torch import nn

from host.common.errors import UserError
from model.export.exact import write_exact
from model.export.integer import Requantise, batch_norm_affine, integer_network
from model.export.packing import pack
from model.export.qdq import write_qdq
from model.export.qonnx import load_qonnx, quant_info
from model.export.snap import EPSILON, UNIT_VARIANCE, export_files, snap, to_qonnx
from model.network.pfld import PFLD
from model.network.quantised import QuantLayers
from model.training.ptq import post_train
from tests.model.samples import as_tensor, random_network, smooth_images


@pytest.fixture(scope="module")
def model(raw_model: ModelWrapper) -> ModelWrapper:
    return snap(copy.deepcopy(raw_model))


@pytest.fixture(scope="module")
def files(
    quantised: PFLD, images: npt.NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("export") / "net.onnx"
    export_files(quantised, path, images)
    return path


def test_names_shapes_and_operations(model: ModelWrapper) -> None:
    graph = model.graph
    assert [i.name for i in graph.input] == ["image"]
    assert [o.name for o in graph.output] == ["landmarks"]
    assert model.get_tensor_shape("image") == [1, 1, 112, 112]
    assert model.get_tensor_shape("landmarks") == [1, 196]
    kinds = [n.op_type for n in graph.node]
    assert (kinds.count("Conv"), kinds.count("Add"), kinds.count("Gemm")) == (43, 10, 1)


def test_unit_variance_is_exact() -> None:
    assert np.sqrt(UNIT_VARIANCE + EPSILON) == np.float32(1)


def float32_multipliers(model: ModelWrapper) -> dict[str, npt.NDArray[np.float32]]:
    """Multiplier of each convolution's accumulators by their name, in float32 only."""
    found = {}
    for norm in [n for n in model.graph.node if n.op_type == "BatchNormalization"]:
        conv = model.find_producer(norm.input[0])
        scales = [
            quant_info(model, model.find_producer(name)).scale.reshape(-1).astype(np.float32)
            for name in conv.input
        ]
        after = model.find_consumers(norm.output[0])[0]
        while after.op_type != "Quant":
            after = model.find_consumers(after.output[0])[0]
        out = np.float32(quant_info(model, after).scale.item())
        gain = model.get_initializer(norm.input[1])
        found[norm.input[0]] = scales[0] * scales[1] * gain / out
    return found


def test_float32_finds_the_same_scales(model: ModelWrapper) -> None:
    steps = integer_network(model).steps
    requants = {s.source: s.params for s in steps if isinstance(s, Requantise)}
    multipliers = float32_multipliers(model)
    assert len(multipliers) == 43
    for source, found in multipliers.items():
        exact = requants[source].scale / 2.0 ** requants[source].shift
        assert np.allclose(found, exact, rtol=6e-7, atol=0)


def test_snapping_changes_little(raw_model: ModelWrapper, model: ModelWrapper) -> None:
    for before, after in zip(raw_model.graph.node, model.graph.node, strict=True):
        if before.op_type == "Quant" and model.get_initializer(after.input[0]) is None:
            old, new = quant_info(raw_model, before).scale, quant_info(model, after).scale
            assert np.allclose(old, new, rtol=2e-4)
        if before.op_type == "BatchNormalization":
            old, new = (
                batch_norm_affine(m, n)[0] for m, n in ((raw_model, before), (model, after))
            )
            weights = raw_model.find_producer(raw_model.find_producer(before.input[0]).input[1])
            old = old * quant_info(raw_model, weights).scale.ravel()  # the gain takes over scales
            assert np.allclose(old, new, rtol=1e-2, atol=1e-4 * np.abs(old).max())


def test_snapping_twice_changes_nothing(model: ModelWrapper) -> None:
    again = snap(copy.deepcopy(model))
    for first, second in zip(
        integer_network(model).steps, integer_network(again).steps, strict=True
    ):
        if isinstance(first, Requantise) and isinstance(second, Requantise):
            assert np.array_equal(first.params.scale, second.params.scale)
            assert np.array_equal(first.params.bias, second.params.bias)


def test_peaks_keep_clear_of_the_next_shift(model: ModelWrapper) -> None:
    steps = [s for s in integer_network(model).steps if isinstance(s, Requantise)]
    peaks = np.array([np.abs(s.params.scale).max() for s in steps])
    assert peaks.min() > 1 << 16
    assert peaks.max() < 1 << 17


def test_snapping_needs_one_reader_behind_an_add(raw_model: ModelWrapper) -> None:
    broken = copy.deepcopy(raw_model)
    add = next(n for n in broken.graph.node if n.op_type == "Add")
    broken.find_consumers(add.output[0])[0].op_type = "Sigmoid"
    with pytest.raises(UserError, match=r"Sigmoid node .* stands where a Quant node is needed"):
        snap(broken)


def test_other_topologies_export() -> None:
    network = random_network(width=0.125, s3="conv1x1", image_size=32, num_landmarks=3)
    inputs = smooth_images(4, 32, seed=2)
    quantised = post_train(network, as_tensor(inputs))
    result = integer_network(snap(to_qonnx(quantised))).run(inputs)
    assert result.landmarks.shape == (4, 3, 2)


def test_golden_file(files: Path, images: npt.NDArray[np.uint8]) -> None:
    with np.load(files.with_name("net_golden.npz")) as golden:
        content = dict(golden)
    network = integer_network(files)
    assert np.array_equal(content["images"], images)
    assert str(content["model_sha256"]) == hashlib.sha256(files.read_bytes()).hexdigest()
    assert np.array_equal(content["accumulators"], network.run(images).accumulators)
    assert content["accumulators"].dtype == np.int32
    assert content["landmarks"].shape == (8, 98, 2)
    assert content["out_scale"].shape == (196,)
    affine = content["accumulators"] * content["out_scale"] + content["out_bias"]
    assert np.array_equal(affine.reshape(8, 98, 2), content["landmarks"])


def test_export_leaves_exactly_its_files(files: Path) -> None:
    names = sorted(p.name for p in files.parent.iterdir())
    assert names == ["net.onnx", "net_exact.onnx", "net_golden.npz", "net_qdq.onnx"]


def test_export_needs_a_folder_and_matching_images(quantised: PFLD, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no folder .*none to export to; make it"):
        export_files(quantised, tmp_path / "none" / "net.onnx", np.zeros((1, 112, 112), np.uint8))
    with pytest.raises(UserError, match=r"net\.bin .* must end in \.onnx"):
        export_files(quantised, tmp_path / "net.bin", np.zeros((1, 112, 112), np.uint8))


def onnxruntime_outputs(
    path: Path, images: npt.NDArray[np.uint8], names: list[str]
) -> list[npt.NDArray[np.float32]]:
    """The tensors ``names`` of a file for ``images``, as onnxruntime calculates them."""
    model = onnx.load(path)
    for name in names:
        if name != "landmarks":
            model.graph.output.append(onnx.ValueInfoProto(name=name))
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(names, {"image": images[:, None].astype(np.float32) / 255})


def assert_first_layers_agree(model: Path, images: npt.NDArray[np.uint8]) -> None:
    """The first two requantised tensors of the QDQ file are close to the integers.

    The INT32 bias of QDQ is coarser than 2**-6 of an output step, so a few values round elsewhere;
    further down random weights amplify that. The shipped network is held to 1 % at its end.
    """
    network = integer_network(model)
    names = [s.output for s in network.steps if isinstance(s, Requantise)][:2]
    exact = network.run(images, keep=names).tensors
    found = onnxruntime_outputs(model.with_name(model.stem + "_qdq.onnx"), images, names)
    source = load_qonnx(model)
    for name, value in zip(names, found, strict=True):
        scale = quant_info(source, source.find_producer(name)).scale.item()
        off = np.abs(np.rint(value / scale) - exact[name])
        assert off.max() <= 1, name
        assert (off > 0).mean() < 1e-2, name


def test_qdq_layers(files: Path, images: npt.NDArray[np.uint8]) -> None:
    assert_first_layers_agree(files, images)
    qdq = files.with_name("net_qdq.onnx")
    together = onnxruntime_outputs(qdq, images, ["landmarks"])[0]
    alone = onnxruntime_outputs(qdq, images[3:4], ["landmarks"])[0]
    assert together.shape == (8, 196)
    assert np.allclose(together[3], alone[0], atol=1e-5)


def test_qdq_of_negative_and_vanishing_gains(
    model: ModelWrapper, images: npt.NDArray[np.uint8], tmp_path: Path
) -> None:
    changed = copy.deepcopy(model)
    norm = next(n for n in changed.graph.node if n.op_type == "BatchNormalization")
    gain = changed.get_initializer(norm.input[1])
    changed.set_initializer(norm.input[1], gain * np.resize([-1, 0, 1], len(gain)).astype("f4"))
    path = tmp_path / "odd.onnx"
    changed.save(str(path))
    write_qdq(path, tmp_path / "odd_qdq.onnx")
    assert_first_layers_agree(path, images)


def test_qdq_of_few_bits_stays_on_its_grid(tmp_path: Path) -> None:
    """Inputs beyond those of the calibration, so that quantisers saturate."""
    network = random_network(width=0.125, s3="conv1x1", image_size=32)
    layers = QuantLayers(activation_bits=4)
    calibration = as_tensor(smooth_images(8, 32, seed=0)) / 4
    path = tmp_path / "few.onnx"
    export_files(post_train(network, calibration, layers=layers), path, smooth_images(2, 32, 1))
    source, images = load_qonnx(path), smooth_images(4, 32, seed=2)
    steps = [s for s in integer_network(path).steps if isinstance(s, Requantise)]
    names = [s.output for s in steps]
    found = onnxruntime_outputs(tmp_path / "few_qdq.onnx", images, names)
    saturated = 0
    for step, value in zip(steps, found, strict=True):
        scale = quant_info(source, source.find_producer(step.output)).scale.item()
        integers = np.rint(value / scale)
        assert step.low <= integers.min(), step.output
        assert integers.max() <= step.high, step.output
        saturated += int(integers.max() == step.high)
    assert saturated > len(steps) / 2
    assert_first_layers_agree(path, images)


def test_exact_file_equals_the_integers(files: Path, images: npt.NDArray[np.uint8]) -> None:
    exact = files.with_name("net_exact.onnx")
    found = onnxruntime_outputs(exact, images, ["accumulators", "landmarks"])
    result = integer_network(files).run(images)
    assert np.array_equal(found[0], result.accumulators)
    assert np.array_equal(found[1], result.landmarks.reshape(8, 196).astype(np.float32))


def test_exact_file_splits_sums_beyond_float32(
    model: ModelWrapper, images: npt.NDArray[np.uint8], tmp_path: Path
) -> None:
    heavy = copy.deepcopy(model)
    conv = [n for n in heavy.graph.node if n.op_type == "Conv"][-1]  # 7x7 over 8 channels
    quant = heavy.find_producer(conv.input[1])
    weights = heavy.get_initializer(quant.input[0])
    heavy.set_initializer(quant.input[0], np.repeat(weights, 2, axis=1))
    before = heavy.find_producer(conv.input[0])
    joined = onnx.helper.make_node("Concat", [before.output[0]] * 2, ["twice"], "join", axis=1)
    heavy.graph.node.insert(list(heavy.graph.node).index(conv), joined)
    conv.input[0] = "twice"
    scale = quant_info(heavy, quant).scale
    extreme = np.broadcast_to(scale * 127, np.repeat(weights, 2, axis=1).shape)
    heavy.set_initializer(quant.input[0], extreme.astype(np.float32))
    heavy.save(str(tmp_path / "heavy.onnx"))
    write_exact(tmp_path / "heavy.onnx", tmp_path / "heavy_exact.onnx")
    kinds = [n.op_type for n in onnx.load(tmp_path / "heavy_exact.onnx").graph.node]
    found = onnxruntime_outputs(tmp_path / "heavy_exact.onnx", images, ["accumulators"])[0]
    assert kinds.count("Split") == 1
    assert np.array_equal(found, integer_network(tmp_path / "heavy.onnx").run(images).accumulators)


def test_weights_of_convolutions_are_integers(model: ModelWrapper) -> None:
    for conv in [n for n in model.graph.node if n.op_type == "Conv"]:
        quant = model.find_producer(conv.input[1])
        weights = model.get_initializer(quant.input[0])
        assert quant_info(model, quant).scale == 1
        assert np.array_equal(weights, np.rint(weights))
        assert np.abs(weights).max() == 127


@pytest.fixture(scope="module")
def packed(model: ModelWrapper, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packed") / "net.onnx"
    pack(copy.deepcopy(model)).save(str(path))
    return path


def test_packed_network_is_the_same(
    model: ModelWrapper, packed: Path, images: npt.NDArray[np.uint8]
) -> None:
    expected, found = integer_network(model), integer_network(packed)
    for one, other in zip(expected.steps, found.steps, strict=True):
        if isinstance(one, Requantise):
            assert np.array_equal(one.params.scale, other.params.scale)
            assert np.array_equal(one.params.bias, other.params.bias)
            assert one.params.shift == other.params.shift
    accumulators = expected.run(images).accumulators
    assert np.array_equal(found.run(images).accumulators, accumulators)


def test_packed_file_holds_a_byte_a_weight(quantised: PFLD, packed: Path) -> None:
    """And six a channel, and little more for nodes and names."""
    weights = sum(p.numel() for p in quantised.parameters() if p.dim() > 1)
    channels = sum(m.num_features for m in quantised.modules() if isinstance(m, nn.BatchNorm2d))
    assert packed.stat().st_size < weights + 6 * channels + 30_000


def test_offsets_beyond_int16_stay_float32(model: ModelWrapper, tmp_path: Path) -> None:
    far = copy.deepcopy(model)
    norm = next(n for n in far.graph.node if n.op_type == "BatchNormalization")
    offsets = far.get_initializer(norm.input[2])
    far.set_initializer(norm.input[2], offsets + np.float32(600 * np.abs(offsets).max()))
    expected = integer_network(far)
    pack(far).save(str(tmp_path / "far.onnx"))
    found = integer_network(tmp_path / "far.onnx")
    bias = [
        next(s for s in n.steps if isinstance(s, Requantise)).params.bias for n in (expected, found)
    ]
    assert np.array_equal(*bias)
