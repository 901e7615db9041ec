# SPDX-License-Identifier: Apache-2.0
"""The instance generator: exact text, memory files, and nothing written on bad input."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from host.common.errors import UserError
from hw import ops
from hw.finn.environment import prepare_verilator
from hw.generate import declaration, instance, literal, write_memory
from hw.ops.base import KernelOp
from hw.sources import sources
from tests.hw.rtl import harness


def make_op(cls: type[KernelOp], inputs: int = 1, outputs: int = 1, **attributes) -> KernelOp:
    attributes = {"inputDataType": "INT8", "PE": 2, "numInputVectors": [1, 2, 3]} | attributes
    return harness.make_op(cls, inputs, outputs, f"{cls.__name__}_0", **attributes)


def fork() -> KernelOp:
    return make_op(ops.StreamFork, outputs=2, NumChannels=4)


def requant(pe: int = 2) -> KernelOp:
    return make_op(
        ops.Requant, inputs=3, NumChannels=4, PE=pe, inputDataType="INT20",
        outputDataType="UINT8", shift=20, biasBits=30,
    )  # fmt: skip


SCALE_BIAS = (np.array([1, 2, 3, -1]), np.array([4, -4, 0, 7]))


def test_text_of_an_instance_with_several_outputs(tmp_path):
    text = instance(fork(), "u_fork", {"s_axis": "x", "m_axis[0]": "a", "m_axis[1]": "b"}, tmp_path)
    assert text == (
        "  kl_stream_fork #(\n"
        "    .WIDTH (16),\n"
        "    .COPIES (2)\n"
        "  ) u_fork (\n"
        "    .clk (clk),\n"
        "    .rst_n (rst_n),\n"
        "    .s_axis_tdata (x_tdata),\n"
        "    .s_axis_tvalid (x_tvalid),\n"
        "    .s_axis_tready (x_tready),\n"
        "    .m_axis_tdata ({b_tdata, a_tdata}),\n"
        "    .m_axis_tvalid ({b_tvalid, a_tvalid}),\n"
        "    .m_axis_tready ({b_tready, a_tready})\n"
        "  );\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_memory_file_holds_the_words_and_is_named_without_a_folder(tmp_path):
    op, folder = requant(), tmp_path / "new"
    text = instance(op, "u_requant", {"s_axis": "x", "m_axis": "y"}, folder, SCALE_BIAS)
    assert '.PARAM_FILE ("u_requant_param_file.hex")' in text
    assert str(tmp_path) not in text
    bits, words = op.rtl_memories(*SCALE_BIAS)["PARAM_FILE"]
    lines = (folder / "u_requant_param_file.hex").read_text().splitlines()
    assert [int(line, 16) for line in lines] == words
    assert {len(line) for line in lines} == {-(-bits // 4)}
    assert [path.name for path in folder.iterdir()] == ["u_requant_param_file.hex"]


@pytest.mark.parametrize(
    ("op", "name", "nets", "message"),
    [
        (requant(pe=3), "u", {"s_axis": "x", "m_axis": "y"},
         r"PE=3 does not divide the 4 channels of Requant_0; use one of \[1, 2, 4\]"),
        (requant(), "u", {"s_axis": "x"},
         r"u \(requant\) has the stream ports \['s_axis', 'm_axis'\].*given for \['s_axis'\]"),
        (requant(), "2u", {"s_axis": "x", "m_axis": "y"}, "'2u' is no SystemVerilog name"),
        (requant(), "u", {"s_axis": "x.y", "m_axis": "y"}, "'x.y' is no SystemVerilog name"),
        (make_op(ops.Fifo, NumChannels=4, depth=1), "u", {"s_axis": "x", "m_axis": "y"},
         "depth=1 of Fifo_0 is too small for full rate; use 2 or more"),
        (make_op(ops.StreamConcat, inputs=2, ChannelsPerInput=[4, 6], PE=4), "u",
         {"s_axis[0]": "a", "s_axis[1]": "b", "m_axis": "y"},
         r"PE=4 does not divide every one of the channels \[4, 6\].*use one of \[1, 2\]"),
        (make_op(ops.StreamConcat, inputs=2, ChannelsPerInput=[4]), "u",
         {"s_axis[0]": "a", "s_axis[1]": "b", "m_axis": "y"},
         r"ChannelsPerInput=\[4\] of StreamConcat_0 lists 1 inputs, the node has 2"),
        (make_op(ops.StreamConcat, inputs=2, ChannelsPerInput=[4, 1 << 32]), "u",
         {"s_axis[0]": "a", "s_axis[1]": "b", "m_axis": "y"},
         r"ChannelsPerInput=\[4, 4294967296\] of StreamConcat_0; each must be 1..4294967295"),
    ],
)  # fmt: skip
def test_illegal_input_writes_nothing(tmp_path, op, name, nets, message):
    with pytest.raises(UserError, match=message):
        instance(op, name, nets, tmp_path / "folder", SCALE_BIAS)
    assert list(tmp_path.iterdir()) == []


def test_add_refuses_unequal_shapes():
    op = make_op(ops.StreamAdd, inputs=2, NumChannels=4)
    with pytest.raises(UserError, match=r"adds tensors of shape \(1, 4\) and \(1, 1\)"):
        op.golden(np.zeros((1, 4), np.int64), np.zeros((1, 1), np.int64))


def weights(**attributes) -> KernelOp:
    return make_op(ops.WeightStream, PE=4, NumChannels=4, numInputVectors=[2], **attributes)


LANES = np.zeros((2, 4), np.int64)


def test_wires_are_connected_and_those_left_open_get_their_value(tmp_path):
    nets, wires = {"m_axis": "y"}, {"chain_in": "a", "chain_out": "b", "rst_n": "other"}
    text = instance(weights(chainIndex=3), "u", nets, tmp_path, (LANES,), wires)
    assert "    .rst_n (other),\n    .chain_in (a),\n    .chain_out (b),\n" in text
    assert "    .CHAIN (1),\n    .CHAIN_ID (3),\n" in text
    text = instance(weights(), "u", nets, tmp_path, (LANES,))
    assert "    .rst_n (rst_n),\n    .chain_in ('0),\n    .chain_out (),\n" in text


@pytest.mark.parametrize(
    ("wires", "text"),
    [
        ({}, r"u \(weight_stream\) has the wires \['chain_in', 'chain_out'\], wires are given for "
             r"\[\]; connect \['chain_in', 'chain_out'\] and no others"),
        ({"chain_in": "a", "chain_out": "b", "run": "c"},
         r"given for \['chain_in', 'chain_out', 'run'\]; connect \[\] and no others"),
        ({"chain_in": "a", "chain_out": "b[3]"}, r"'b\[3\]' is no SystemVerilog name"),
    ],
)  # fmt: skip
def test_wrong_wires_are_named(tmp_path, wires, text):
    with pytest.raises(UserError, match=text):
        instance(weights(chainIndex=3), "u", {"m_axis": "y"}, tmp_path, (LANES,), wires)
    assert list(tmp_path.iterdir()) == []


def test_memory_file_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write the memory file .*file/x\.hex: "):
        write_memory(tmp_path / "file" / "x.hex", 8, [1])


def test_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.hex"
    write_memory(path, 8, [1])

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_memory(path, 8, [2])
    assert path.read_text() == "01\n"
    assert list(tmp_path.iterdir()) == [path]


def test_sources_come_once_and_before_their_users():
    adds = [make_op(ops.StreamAdd, inputs=2, NumChannels=4)] * 2
    files = sources([*adds, fork()])
    assert [path.name for path in files] == [
        "kl_stream_check.sv", "kl_stream_register.sv", "kl_stream_add.sv", "kl_stream_fork.sv"
    ]  # fmt: skip
    assert all(path.is_file() for path in files)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (-3, "-3"), (1 << 31, "32'h80000000"), ("block", '"block"'), ('a"\\', '"a\\"\\\\"')],
)
def test_literal(value, text):
    assert literal(value) == text


def branch(folder: Path) -> tuple[str, list[KernelOp]]:
    """A module of one instance of every stream kernel: fork, fifos, add, concat, pool."""
    split = make_op(ops.StreamFork, outputs=4, NumChannels=4)
    fifos = [
        make_op(ops.Fifo, NumChannels=4, depth=5, style=style)
        for style in ("srl", "distributed", "block", "ultra")
    ]
    add = make_op(ops.StreamAdd, inputs=2, NumChannels=4)
    join = make_op(ops.StreamConcat, inputs=2, ChannelsPerInput=[4, 4])
    narrow = make_op(ops.StreamConcat, inputs=2, ChannelsPerInput=[4, 8], inputDataType="INT9")
    pool = make_op(ops.GlobalAccPool, NumChannels=12, inputDataType="INT9")
    chain: list[tuple[KernelOp, dict[str, str]]] = [
        (split, {"s_axis": "s_axis"} | {f"m_axis[{i}]": f"copy{i}" for i in range(4)}),
        *((op, {"s_axis": f"copy{i}", "m_axis": f"held{i}"}) for i, op in enumerate(fifos)),
        (add, {"s_axis[0]": "held0", "s_axis[1]": "held1", "m_axis": "sum"}),
        (join, {"s_axis[0]": "held2", "s_axis[1]": "held3", "m_axis": "both"}),
        (narrow, {"s_axis[0]": "sum", "s_axis[1]": "wide", "m_axis": "joined"}),
        (pool, {"s_axis": "joined", "m_axis": "m_axis"}),
    ]
    widths = {f"{kind}{i}": 16 for i in range(4) for kind in ("copy", "held")}
    widths |= {"sum": 18, "both": 16, "wide": 18, "joined": 18}
    body = "".join(declaration(net, width) for net, width in widths.items())
    body += "  assign wide_tdata = {both_tdata[15], both_tdata[15:8], both_tdata[7], "
    body += "both_tdata[7:0]};\n"
    body += "  assign wide_tvalid = both_tvalid;\n  assign both_tready = wide_tready;\n"
    body += "".join(instance(op, f"u_{i}", nets, folder) for i, (op, nets) in enumerate(chain))
    ports = "input wire clk, input wire rst_n, input wire [15:0] s_axis_tdata, "
    ports += "input wire s_axis_tvalid, output wire s_axis_tready, "
    ports += f"output wire [{pool.get_outstream_width() - 1}:0] m_axis_tdata, "
    ports += "output wire m_axis_tvalid, input wire m_axis_tready"
    return f"module branch ({ports});\n{body}endmodule\n", [op for op, _ in chain]


def test_every_stream_kernel_passes_verilator_without_a_warning(tmp_path):
    prepare_verilator()
    text, used = branch(tmp_path)
    top = tmp_path / "branch.sv"
    top.write_text(text)
    command = ["verilator", "--lint-only", "-Wall", "--top-module", "branch"]
    result = subprocess.run(
        [*command, *map(str, sources(used)), str(top)], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
