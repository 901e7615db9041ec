# SPDX-License-Identifier: Apache-2.0
"""The best cells in integers: by hand, as ONNX nodes, and behind a whole network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper

from host.backends import open_backend
from host.common.errors import UserError
from model.export.fp32 import export_fp32
from model.export.integer import Peak, integer_network
from model.export.peak import peak_nodes
from model.export.qonnx import load_qonnx
from model.export.snap import CELLS, export_files
from model.network import grid
from model.training.ptq import post_train
from tests.model.samples import as_tensor, random_network, smooth_images

STEPS = np.array([[1000, 900], [70, 80]])
SHIFTS = np.array([2, 0])


def cells() -> torch.Tensor:
    """Map (1, 6, 3, 3): of point 0 row 2, column 1 is the best and row 2, column 0 the second one,
    12 below; three cells of point 1 are equally good."""
    found = torch.zeros(1, 6, 3, 3, dtype=torch.int64)
    found[0, 0] = -50
    found[0, 0, 2, 1], found[0, 0, 2, 0] = -4, -16
    found[0, 1, 2, 1], found[0, 2, 2, 1] = 33, -44
    found[0, 3, 0, 2] = found[0, 3, 1, 0] = found[0, 3, 2, 2] = 9
    found[0, 4, 0, 2], found[0, 5, 0, 2] = 7, 8
    return found


def test_places_by_hand() -> None:
    found = Peak("cells", "places", STEPS, SHIFTS).run({"cells": cells()})
    # a sixteenth of the way, for 12 >> 2 is 3; half of the way from (147, 8) to (0, 80)
    assert found.tolist() == [[1033 + (-1033 >> 4), 1756 + (44 >> 4), 147 + (-147 >> 1), 8 + 36]]


@pytest.mark.parametrize("spread", [4, 40, 40_000])
def test_nodes_find_the_same_places(spread: int) -> None:
    """Many equal scores, close ones, and scores far apart."""
    rng = np.random.default_rng(0)
    maps = torch.from_numpy(rng.integers(-spread, spread, (50, 6, 4, 4)))
    maps[:, 1::3] *= 7
    nodes, constants = peak_nodes("cells", "places", STEPS, 2.0**-SHIFTS, 4, whole=True)
    entries = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("cells", ["N", 6, 4, 4]), ("places", ["N", 4]))
    ]
    graph = helper.make_graph(nodes, "peak", entries[:1], entries[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=[
        "CPUExecutionProvider"
    ])  # fmt: skip
    (found,) = session.run(None, {"cells": maps.float().numpy()})
    expected = Peak("cells", "places", STEPS, SHIFTS).run({"cells": maps})
    np.testing.assert_array_equal(found, expected)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Packed QONNX file of a narrow network with the grid head, and the files beside it."""
    path = tmp_path_factory.mktemp("grid") / "grid.onnx"
    network = random_network(width=0.125, stem="depthwise", head="grid", pose_branch=False)
    quantised = post_train(network, as_tensor(smooth_images(16, 112, 0)))
    export_files(quantised, path, smooth_images(2, 112, 1), packed=True)
    return path


def test_file_ends_with_the_cells(exported: Path) -> None:
    model = load_qonnx(exported)
    (output,) = model.graph.output
    assert output.name == CELLS
    assert model.get_tensor_shape(CELLS) == [1, 294, 14, 14]
    assert not {"ArgMax", "TopK"} & {node.op_type for node in model.graph.node}


def test_accumulators_are_places_with_one_scale_each(exported: Path) -> None:
    network = integer_network(exported)
    images = smooth_images(4, 112, 2)
    found = network.run(images, keep=[CELLS])
    assert found.accumulators.shape == (4, 196)
    (peak,) = [step for step in network.steps if isinstance(step, Peak)]
    assert peak.steps.min() > 100, "a cell is many steps"
    # the same through floating point, decoded as in training but with whole halvings
    maps = found.tensors[CELLS].astype(np.float64)
    scale = np.stack([np.exp2(-peak.shifts), *(1 / peak.steps.T)], 1).ravel()
    bias = np.zeros(294)
    bias.reshape(98, 3)[:, 1:] = network.out_bias.reshape(98, 2) * 14 - 0.5
    floats = torch.from_numpy(maps * scale[:, None, None] + bias[:, None, None])
    scores, answers = grid.split(floats)
    order = scores.sort(stable=True, dim=2, descending=True)
    place, other = (
        np.take_along_axis(answers.numpy(), n.numpy()[:, :, None], 3)[..., 0]
        for n in (order.indices[..., :1], order.indices[..., 1:2])
    )
    apart = (order.values[..., 0] - order.values[..., 1]).numpy()
    share = np.exp2(-1 - np.minimum(np.floor(apart), 15))[..., None]
    assert (share > 0.01).any(), "no second cell counts"
    step = 1 / (14 * peak.steps)
    off = found.landmarks - (place + (other - place) * share)
    assert ((off < 1e-12) & (off > -step - 1e-12)).all(), "rounded down"
    decoded = grid.decode(floats).view(4, 98, 2).numpy()
    most = np.abs(other - place) * share / 2 + step
    assert (np.abs(found.landmarks - decoded) < most + 1e-12).all()


def test_exact_file_equals_the_integers(exported: Path) -> None:
    images = smooth_images(4, 112, 2)
    expected = integer_network(exported).run(images).landmarks
    for name, most in (("exact", 1e-6), ("qdq", 1.0)):
        session = onnxruntime.InferenceSession(
            str(exported.with_name(f"grid_{name}.onnx")), providers=["CPUExecutionProvider"]
        )
        (found,) = session.run(None, {"image": as_tensor(images).numpy()})
        assert found.shape == (4, 196)
        near = np.abs(found.reshape(4, 98, 2) - expected).max(2) < most
        assert near.mean() > 0.9
        assert near.all() or name == "qdq"


def test_host_decodes_the_cells_of_every_file(exported: Path) -> None:
    """FP32, exact and QDQ files give landmarks to the backend cpu, one by one and as a batch."""
    network = random_network(width=0.125, stem="depthwise", head="grid", pose_branch=False)
    export_fp32(network, exported.with_name("grid_fp32.onnx"))
    images = smooth_images(3, 112, 2)
    for name in ("fp32", "exact", "qdq"):
        backend = open_backend("cpu", exported.with_name(f"grid_{name}.onnx"), threads=1)
        found = backend.infer(images)
        assert found.shape == (3, 98, 2)
        alone = np.concatenate([backend.infer(image[None]) for image in images])
        np.testing.assert_allclose(found, alone, atol=1e-5)
        if name == "fp32":
            with torch.no_grad():
                expected = network.eval()(as_tensor(images)).view(3, 98, 2)
            np.testing.assert_allclose(found, expected.numpy(), atol=1e-4)


def test_cells_that_are_no_whole_number_of_steps(exported: Path) -> None:
    model = load_qonnx(exported)
    last = model.find_producer(CELLS)
    quantiser = model.find_producer(last.input[1])
    scale = model.get_initializer(quantiser.input[1])
    model.set_initializer(quantiser.input[1], scale * np.float32(1.0001))
    with pytest.raises(UserError, match="a cell is no whole number of steps of its offsets"):
        integer_network(model)


def test_scores_that_say_nothing_have_a_scale_that_the_hardware_holds(tmp_path: Path) -> None:
    """Filters of zeros get a scale near 0; all cells are then as good, and the first two count."""
    network = random_network(width=0.125, stem="depthwise", head="grid", pose_branch=False)
    with torch.no_grad():
        network.cells.weight[::3] = 0
    quantised = post_train(network, as_tensor(smooth_images(16, 112, 0)))
    export_files(quantised, tmp_path / "flat.onnx", smooth_images(2, 112, 1))
    (peak,) = [s for s in integer_network(tmp_path / "flat.onnx").steps if isinstance(s, Peak)]
    assert peak.shifts.min() >= 0
    assert peak.shifts.max() <= 31


@pytest.mark.parametrize("factor", [0.0, 1e-7, 1e-4])
def test_offsets_near_zero_stay_exact(tmp_path: Path, factor: float) -> None:
    """Their scale alone would give places beyond 32 bits."""
    network = random_network(width=0.125, stem="depthwise", head="grid", image_size=48,
                             pose_branch=False)  # fmt: skip
    with torch.no_grad():
        network.cells.weight[1:3] *= factor
    quantised = post_train(network, as_tensor(smooth_images(8, 48, 0)))
    images = smooth_images(4, 48, 1)
    export_files(quantised, tmp_path / "still.onnx", images)
    integers = integer_network(tmp_path / "still.onnx")
    found = integers.run(images, keep=[CELLS])
    cells = found.tensors[CELLS][:, 1:3] * integers.out_scale[:2, None, None] * 6  # side 6
    assert np.abs(cells).max() < max(1e-3, 100 * factor), "offsets are as small as before"
    assert np.abs(found.accumulators[:, :2]).max() < 2**24
    session = onnxruntime.InferenceSession(
        str(tmp_path / "still_exact.onnx"), providers=["CPUExecutionProvider"]
    )
    (exact,) = session.run(None, {"image": as_tensor(images).numpy()})
    np.testing.assert_allclose(exact.reshape(4, 98, 2), found.landmarks, atol=1e-6)


def test_places_beyond_32_bits_are_refused(exported: Path) -> None:
    network = integer_network(exported)
    (peak,) = [step for step in network.steps if isinstance(step, Peak)]
    far = replace(peak, steps=peak.steps * 2**32)
    steps = tuple(far if step is peak else step for step in network.steps)
    with pytest.raises(UserError, match=r"cells_peak reaches \d+, beyond 2147483647 of 32 bits"):
        replace(network, steps=steps).run(smooth_images(2, 112, 2))


def test_scores_whose_scale_is_no_power_of_two(exported: Path) -> None:
    model = load_qonnx(exported)
    quantiser = model.find_producer(model.find_producer(CELLS).input[1])
    scale = model.get_initializer(quantiser.input[1]).copy()
    scale[0] *= np.float32(1.3)
    model.set_initializer(quantiser.input[1], scale)
    with pytest.raises(UserError, match=r"the scale of a score is no power of two up to 1"):
        integer_network(model)
