# SPDX-License-Identifier: Apache-2.0
"""Networks of others as the command ``table`` builds them: exact, or refused in one line."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from onnx import helper

from build_flows.__main__ import cli
from build_flows.flow import Listener
from build_flows.table import rows_of
from host.common.errors import UserError
from tests.build_flows.brevitas_networks import NETWORKS, export
from tests.build_flows.networks import convolution, graph, quant


def everything():
    """Maximum and average pooling, a sum of unlike scales, an activation by a table, upsampling."""
    rng = np.random.default_rng(21)
    constants = {
        "byte": 1 / 255, "zero": 0.0, "bits": 8.0, "a": 0.0211, "b": 0.0173, "c": 0.0307,
        "factors": np.array([1, 1, 2, 2]),
    }  # fmt: skip
    rows = [quant("image", "x", "byte")]
    rows += convolution(rng, "x", "l", (4, 1, 3, 3), constants=constants)
    rows += convolution(rng, "x", "r", (4, 1, 1, 1), 1, "b", constants=constants)
    rows += [
        helper.make_node("Add", ["l", "r"], ["s"]), helper.make_node("LeakyRelu", ["l"], ["v"]),
        quant("s", "t", "c", signed=1), quant("v", "w", "b"),
        helper.make_node("MaxPool", ["t"], ["m"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("AveragePool", ["w"], ["n"], kernel_shape=[2, 2], strides=[2, 2]),
        quant("n", "k", "b"), helper.make_node("Concat", ["m", "k"], ["j"], axis=1),
        helper.make_node(
            "Resize", ["j", "", "factors"], ["u"], mode="nearest", nearest_mode="floor",
            coordinate_transformation_mode="asymmetric",
        ),
    ]  # fmt: skip
    rows += convolution(rng, "u", "out", (3, 8, 1, 1), constants=constants)
    return graph(rows, constants, [1, 1, 6, 6])


def table(tmp_path, **models):
    """Rows of the command over models by name, and the text of its table."""
    folder = tmp_path / "files"
    folder.mkdir()
    for name, model in models.items():
        model.save(str(folder / f"{name}.onnx"))
    words = ["table", str(folder), "--fps", "2000", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 0, result.output
    rows = json.loads((tmp_path / "out" / "table.json").read_text())
    return rows, (tmp_path / "out" / "table.md").read_text()


def test_a_network_that_is_refused_has_a_row(tmp_path):
    soft = [quant("image", "x", "s"), helper.make_node("Softmax", ["x"], ["out"], "end")]
    constants = {"s": 1 / 255, "zero": 0.0, "bits": 8.0}
    rows, text = table(tmp_path, soft=graph(soft, constants, [1, 1, 6, 6]))
    assert [row["network"] for row in rows] == ["soft"]
    assert "there is no kernel for Softmax; use the network without it" in rows[0]["refused"]
    assert "| soft |  |  |  | refused: " in text


def test_a_network_on_which_the_flow_breaks_has_a_row(tmp_path, monkeypatch, caplog):
    """And the next network is built."""

    def broken(name, *_):
        if name == "a":
            raise ValueError("a mistake\nof ours")
        raise UserError("no network")

    monkeypatch.setattr("build_flows.table.write_network", broken)
    files = [tmp_path / f"{name}.onnx" for name in "ab"]
    first, second = rows_of(files, tmp_path, None, None, Listener())
    assert (first.failed, second.refused) == ("ValueError: a mistake", "no network")
    assert not first.sound
    assert "in broken" in caplog.text


def test_an_image_that_two_layers_read(tmp_path):
    """Each takes every word of it, at its own pace."""
    rng = np.random.default_rng(22)
    constants = {"byte": 1 / 255, "zero": 0.0, "bits": 8.0, "a": 0.0211}
    rows = [quant("image", "x", "byte")]
    rows += convolution(rng, "x", "l", (2, 2, 3, 3), constants=constants)
    rows += convolution(rng, "x", "r", (3, 2, 1, 1), constants=constants)
    model = graph(rows, constants, [1, 2, 5, 4], ("l", "r"))
    rows, _ = table(tmp_path, both=model)
    assert (rows[0]["failed"], rows[0].get("equal")) == ("", 8)


def test_joined_branches_that_hold_no_pixel(tmp_path):
    """A tensor with itself, and two quantisers of one tensor: the second waits for the first."""
    rng = np.random.default_rng(24)
    constants = {"byte": 1 / 255, "zero": 0.0, "bits": 8.0, "a": 0.0211, "b": 0.0173}
    rows = [quant("image", "x", "byte")]
    rows += convolution(rng, "x", "l", (24, 1, 1, 1), constants=constants)
    rows += [
        helper.make_node("Concat", ["l", "l"], ["j"], axis=1), quant("j", "k", "b", signed=1),
        quant("j", "m", "b"), helper.make_node("Concat", ["k", "m", "k"], ["n"], axis=1),
    ]  # fmt: skip
    rows += convolution(rng, "n", "out", (2, 144, 1, 1), constants=constants)
    rows, _ = table(tmp_path, joined=graph(rows, constants, [1, 1, 3, 4]))
    assert (rows[0]["failed"], rows[0].get("equal")) == ("", 8)


@pytest.mark.slow
def test_all_kernels_of_foreign_networks_in_one(tmp_path):
    """Window pools, unequal adds, a table and upsampling in Verilator."""
    rows, _ = table(tmp_path, everything=everything())
    assert (rows[0]["failed"], rows[0].get("equal")) == ("", 8)


def detector():
    """A transposed convolution, and outputs of unlike size, of which the larger is done first."""
    rng = np.random.default_rng(23)
    constants = {
        "byte": 1 / 255, "zero": 0.0, "bits": 8.0, "a": 0.0211,
        "w": rng.normal(size=(3, 2, 3, 3)), "s": 0.02,
    }  # fmt: skip
    rows = [quant("image", "x", "byte")]
    rows += convolution(rng, "x", "l", (3, 2, 3, 3), constants=constants, strides=[2, 2])
    rows += convolution(rng, "x", "fine", (2, 2, 3, 3), constants=constants)
    rows += [
        quant("w", "wq", "s", signed=1),
        helper.make_node("ConvTranspose", ["l", "wq"], ["t"], "up", strides=[2, 2], pads=[1] * 4),
        quant("t", "u", "a", signed=1),
    ]  # fmt: skip
    rows += convolution(rng, "u", "coarse", (2, 2, 3, 3), constants=constants)
    return graph(rows, constants, [1, 2, 6, 6], ("coarse", "fine"))


@pytest.mark.slow
def test_outputs_of_unlike_size(tmp_path):
    """The larger one waits in a FIFO for the smaller."""
    rows, _ = table(tmp_path, detector=detector())
    assert (rows[0]["failed"], rows[0].get("equal")) == ("", 8)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_of_brevitas_equals_its_file(name, tmp_path):
    words = ["table", str(export(name, tmp_path)), "--fps", "2000", "--out", str(tmp_path)]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 0, result.output
    (row,) = json.loads((tmp_path / "table.json").read_text())
    assert row.get("equal") == 8, row
