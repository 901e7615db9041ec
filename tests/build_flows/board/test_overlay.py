# SPDX-License-Identifier: Apache-2.0
"""The overlay folder: written, read, and refused when it is older, foreign or damaged."""

import json
import shutil

import numpy as np
import pytest

from build_flows.board import shell
from build_flows.board.overlay import settings, write_overlay
from build_flows.design.stitch import Design
from host.board.overlay import read_overlay
from host.board.weights import checksum, from_slices
from host.common.errors import UserError
from tests.build_flows.board import tiny


def change(folder, **values):
    path = folder / "settings.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.fixture
def copy(tiny_folder, tmp_path):
    return shutil.copytree(tiny_folder, tmp_path / "tiny")


def test_what_is_written_is_read(overlay, tiny_design):
    assert (overlay.config, overlay.input_size, overlay.outputs) == ("tiny", 4, 4)
    assert overlay.config_hash == shell.config_hash(tiny_design)
    assert overlay.registers["WEIGHT_DATA"] == 0x10C
    assert [(m.name, m.bits, m.words) for m in overlay.memories] == [("a", 20, 4), ("b", 40, 4)]
    for memory, values in zip(overlay.memories, (tiny.A, tiny.B), strict=True):
        words = [value & (1 << memory.bits) - 1 for value in values]
        assert from_slices(memory.bits, memory.slices) == words
    slices = np.concatenate([memory.slices for memory in overlay.memories])
    assert overlay.checksum == checksum(slices)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 0}, r"tiny is older than this host: format 0, readable is 1; make it again"),
        ({"format": 2}, r"tiny is newer than this host: format 2, readable is 1"),
        ({"kind": "other"}, r"tiny is no overlay of this project; give a folder of overlays/"),
        ({"magic": "x"}, r"settings\.json is not as expected: ValueError"),
        ({"registers": None}, r"settings\.json is not as expected: AttributeError"),
        ({"output": {"shape": [4]}}, r"settings\.json is not as expected: KeyError\('scale'\)"),
        ({"weights": {"memories": [{"name": "a", "bits": 8, "words": 1}]}},
         r"12 slices in weights\.bin, 1 in the memories"),
    ],
)  # fmt: skip
def test_other_settings_are_refused(copy, changes, message):
    change(copy, **changes)
    with pytest.raises(UserError, match=message):
        read_overlay(copy)


def test_a_build_folder_is_foreign(copy):
    (copy / "settings.json").write_text('{"format": 1, "config": "demo"}')
    with pytest.raises(UserError, match="is no overlay of this project"):
        read_overlay(copy)


def test_damage_is_found(copy):
    data = bytearray((copy / "weights.bin").read_bytes())
    data[7] ^= 1
    (copy / "weights.bin").write_bytes(data)
    with pytest.raises(UserError, match=r"weights\.bin is damaged: its SHA-256 differs; copy it"):
        read_overlay(copy)
    (copy / "weights.bin").unlink()
    with pytest.raises(UserError, match=r"cannot read .*weights\.bin: No such file .*; copy the"):
        read_overlay(copy)
    (copy / "settings.json").write_text("{")
    with pytest.raises(UserError, match=r"settings\.json is no JSON: "):
        read_overlay(copy)


def test_a_missing_folder_says_how_to_make_it(tmp_path):
    text = r"cannot read .*settings\.json: No such file .*; make it again with: make bitstream CONF"
    with pytest.raises(UserError, match=text):
        read_overlay(tmp_path / "kv260_1x")


def test_a_new_overlay_replaces_the_old_as_a_whole(copy, tiny_design):
    (copy / "old").touch()
    write_overlay(copy, settings(tiny.SETTINGS, tiny_design, 100.0, {}), tiny_design, {})
    assert read_overlay(copy).clk_mhz == 100
    assert sorted(path.name for path in copy.iterdir()) == ["settings.json", "weights.bin"]
    assert [path.name for path in copy.parent.iterdir()] == ["tiny"]


def test_a_failed_write_leaves_the_old(copy, tiny_design, tmp_path):
    before = (copy / "settings.json").read_bytes()
    with pytest.raises(FileNotFoundError):
        write_overlay(copy, settings(tiny.SETTINGS, tiny_design, 1.0, {}), tiny_design,
                      {"landmarks.bit": tmp_path / "no"})  # fmt: skip
    assert (copy / "settings.json").read_bytes() == before


def test_the_hash_tells_designs_apart_but_not_weights(tiny_design, tmp_path):
    other = shutil.copytree(tiny_design, tmp_path / "design")
    (other / "a_file.hex").write_text("0\n0\n0\n0\n")
    assert shell.config_hash(other) == shell.config_hash(tiny_design)
    (other / "accelerator.sv").write_text("// another\n")
    assert shell.config_hash(other) != shell.config_hash(tiny_design)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input_bits": 24}, "the input stream has words of 24 bits, a DMA engine has 8, 16, 32, "),
        ({"output_lanes": 3}, "the output stream has words of 96 bits, .* of the last unit"),
        ({"memories": []}, "the design has no weight memory; the shell drives its weight port"),
    ],
)
def test_designs_that_no_shell_fits(tiny_design, tmp_path, changes, message):
    other = shutil.copytree(tiny_design, tmp_path / "design")
    values = json.loads((other / "design.json").read_text()) | changes
    (other / "design.json").write_text(json.dumps(values))
    assert Design.read(other).input_words == 16
    with pytest.raises(UserError, match=message):
        shell.package(other, tmp_path / "rtl")
    assert not (tmp_path / "rtl").exists()
