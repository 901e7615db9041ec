# SPDX-License-Identifier: Apache-2.0
"""One description of the registers; what is made from it is what is committed."""

import shutil

import pytest

from host.board.registers import BLOCKS, OFFSETS, bit
from host.common.errors import UserError
from hw import registers


@pytest.mark.parametrize("path", registers.files(), ids=lambda path: path.name)
def test_the_committed_files_are_what_the_command_writes(path):
    assert path.read_text() == registers.files()[path], "run: python -m hw.registers"


def test_registers_do_not_overlap_and_fit_their_port():
    for block in BLOCKS:
        used = [r.offset + i for r in block.registers for i in range(0, r.bits // 8, 4)]
        assert len(used) == len(set(used))
        assert max(used) < 1 << block.address_bits
        assert all(at % 4 == 0 for at in used)
    assert len(OFFSETS) == sum(len(block.registers) for block in BLOCKS)


def test_a_bit_by_its_name():
    assert bit("WEIGHT_STATUS", "error") == 4
    with pytest.raises(ValueError, match="not in tuple"):
        bit("STATUS", "error")


def test_a_page_without_its_marks_is_named(tmp_path, monkeypatch):
    pages = tmp_path / "docs" / "kernels"
    pages.mkdir(parents=True)
    shutil.copy2(registers.ROOT / "README.md", pages / "weight_port.md")
    monkeypatch.setattr(registers, "ROOT", tmp_path)
    with pytest.raises(UserError, match=r"weight_port\.md has not two lines <!-- registers: pyth"):
        registers.page(BLOCKS[1])
