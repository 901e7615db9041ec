# SPDX-License-Identifier: Apache-2.0
"""The reset tree of a stitched design: two registers from the port's word to every unit."""

import re

import pytest

from build_flows.design.stitch import RESET_GROUP, _chain, _resets, reset_of


@pytest.mark.parametrize("number", [1, RESET_GROUP, RESET_GROUP + 1, 3 * RESET_GROUP])
def test_every_unit_has_a_register_behind_one_of_its_group(number):
    units = [f"unit_{i}" for i in range(number)]
    text = _resets(units, "go")
    groups = -(-number // RESET_GROUP)
    assert f"logic [{groups - 1}:0] group_rst_n;" in text
    assert f"group_rst_n <= {{{groups}{{go}}}};" in text
    registers = dict(re.findall(r"(\w+) <= group_rst_n\[(\d+)\];", text))
    assert list(registers) == [reset_of(unit) for unit in units]
    assert [int(group) for group in registers.values()] == [i // RESET_GROUP for i in range(number)]
    assert text.count('(* keep = "true" *)') == 2  # of the groups, of the units


def test_without_weights_a_unit_waits_for_nothing():
    ports, text = _chain([], ["one"])
    assert ports == ""
    assert text == "  logic rst_n_one;\n  assign rst_n_one = rst_n;\n"
