# SPDX-License-Identifier: Apache-2.0
"""Networks of others as the command ``table`` builds them: exact, or refused in one line."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from onnx import helper

from build_flows.__main__ import cli
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


def test_a_row_of_a_network_and_of_one_that_is_refused(tmp_path):
    """Window pools, unequal adds and the other kernels of foreign networks in Verilator."""
    folder = tmp_path / "files"
    folder.mkdir()
    everything().save(str(folder / "everything.onnx"))
    soft = [quant("image", "x", "s"), helper.make_node("Softmax", ["x"], ["out"], "end")]
    constants = {"s": 1 / 255, "zero": 0.0, "bits": 8.0}
    graph(soft, constants, [1, 1, 6, 6]).save(str(folder / "soft.onnx"))
    words = ["table", str(folder), "--fps", "2000", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 0, result.output
    rows = json.loads((tmp_path / "out" / "table.json").read_text())
    assert [row["network"] for row in rows] == ["everything", "soft"]
    assert (rows[0]["equal"], rows[0]["images"], rows[0]["reason"]) == (8, 8, "")
    assert rows[1]["reason"].startswith("end: there is no kernel for Softmax; use the network wit")
    text = (tmp_path / "out" / "table.md").read_text()
    assert "yes, 8 of 8 images" in text
    assert "refused: end: there is no kernel" in text


@pytest.mark.slow
def test_every_network_of_brevitas_equals_its_file(tmp_path):
    from tests.build_flows.brevitas_networks import NETWORKS, export

    files = [str(export(name, tmp_path)) for name in NETWORKS]
    result = CliRunner().invoke(cli, ["table", *files, "--fps", "2000", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    rows = json.loads((tmp_path / "table.json").read_text())
    assert [row["network"] for row in rows if row.get("equal") != 8] == []
