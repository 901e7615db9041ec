# SPDX-License-Identifier: Apache-2.0
"""Folding by optimisation, on the small network and on spaces written by hand."""

import csv
import json
import signal
from dataclasses import asdict, replace

import pytest
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from build_flows import parts as known_parts
from build_flows.design.stitch import weight_memories
from build_flows.design.verify import verify
from build_flows.explore.budget import RESOURCES, Budget, budget_of
from build_flows.explore.choices import (
    Choice,
    Link,
    Space,
    cost_of,
    fifo_costs,
    held_by_branches,
    space_of,
    table_of,
    total,
)
from build_flows.explore.front import (
    Explorer,
    comparison,
    row_of,
    write_comparison,
    write_folding,
    write_fronts,
)
from build_flows.explore.solve import (
    Problem,
    burden,
    candidates,
    cycle_bounds,
    improved,
    used_by,
)
from build_flows.graph.folding import apply_table, fold
from build_flows.parts import part_of, parts
from host.common.errors import UserError
from hw.units import units_of

PART = "xck26-sfvc784-2LV-c"
CLK_MHZ = 250.0
CYCLES = 3_000


@pytest.fixture(scope="module")
def mapped_file(small_build):
    return small_build / "map" / "model.onnx"


@pytest.fixture
def mapped(mapped_file):
    return ModelWrapper(str(mapped_file))


@pytest.fixture(scope="module")
def space(mapped_file):
    return space_of(ModelWrapper(str(mapped_file)), part_of(PART), pumped=False)


def explorer_of(space, budget=None, time_limit=2.0):
    return Explorer(space, budget or budget_of(PART), CLK_MHZ, time_limit, lambda _: None)


@pytest.fixture(scope="module")
def point(space):
    return explorer_of(space).smallest(CYCLES)


def read_csv(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def with_limit(resource, value):
    budget = budget_of(PART)
    limits = list(budget.limits)
    limits[RESOURCES.index(resource)] = value
    return replace(budget, limits=tuple(limits))


# -- a chain of two units, small enough to see the best choice -------------------------------------


def choice(lanes, cycles, lut, dsp=0):
    return Choice((("PE", lanes),), (lanes, lanes), cycles, (lut, 0, dsp, 0, 0))


@pytest.fixture
def chain():
    units = {
        "a": (choice(1, 800, 10, 1), choice(2, 400, 20, 2), choice(4, 200, 40, 4)),
        "b": (choice(1, 800, 10, 1), choice(2, 400, 500, 2)),
    }
    return Space(units, (Link("a", "b", 8, rigid=False),))


def test_the_least_is_found_converters_counted(chain):
    budget = Budget((1_000, 1_000, 100, 100, 100), (0,) * 5)
    problem = Problem(chain, budget, 400)
    problem.prefer_least()
    found = problem.solve(1.0)
    assert table_of(found.chosen, {}) == {"a": {"PE": 2}, "b": {"PE": 2}}
    assert (found.cycles, found.used, found.gap(budget)) == (400, (520, 0, 4, 0, 0), 0)


def test_a_known_folding_is_kept_unless_a_better_one_is_found(chain):
    explorer = explorer_of(chain, Budget((1_000, 1_000, 100, 100, 100), (0,) * 5))
    found = explorer.smallest(400).solution
    better, worse = replace(found, used=(519, 0, 4, 0, 0)), replace(found, used=(521, 0, 4, 0, 0))
    assert explorer.smallest(400, better).solution == better
    assert explorer.smallest(400, worse).solution.used == found.used


def test_a_rigid_link_has_no_converter(chain):
    rigid = replace(chain, links=(Link("a", "b", 8, rigid=True),))
    budget = Budget((1_000, 1_000, 100, 100, 100), (0,) * 5)
    for bound in (800, 400):
        found = Problem(rigid, budget, bound).solve(1.0)
        assert found.chosen["a"].lanes == found.chosen["b"].lanes


def test_bounds_are_the_cycles_that_some_unit_has(chain):
    assert cycle_bounds(chain) == [400, 800]


def test_what_is_dominated_is_left_out():
    better, worse = choice(1, 100, 10), choice(1, 50, 20)
    other_lanes, too_slow = choice(2, 50, 20), choice(1, 101, 1)
    assert candidates((better, worse, other_lanes, too_slow), 100) == [better, other_lanes]


def test_a_bound_that_no_fold_reaches(chain):
    budget = Budget((1_000, 1_000, 100, 100, 100), (0,) * 5)
    with pytest.raises(UserError, match=r"b needs 400 cycles a frame even when unfolded; ask for"):
        Problem(chain, budget, 399)


def test_the_short_resource_is_named(chain):
    budget = Budget((1_000, 1_000, 3, 100, 100), (0,) * 5)
    with pytest.raises(
        UserError,
        match=r"no folding of at most 400 cycles a frame fits the budget: dsp of 4, where 3 are "
        r"allowed, would do; ask for more cycles",
    ):
        explorer_of(chain, budget).smallest(400)


def test_two_short_resources(chain):
    budget = Budget((100, 1_000, 3, 100, 100), (0,) * 5)
    with pytest.raises(UserError, match="more than one resource is short"):
        explorer_of(chain, budget).smallest(400)


def test_a_part_without_budget():
    with pytest.raises(UserError, match="no budget for the part xc2v80; known are xck26"):
        budget_of("xc2v80")


def test_a_part_without_ultraram(chain):
    """Its share divides nothing by zero; nothing of it is used."""
    with_some, without = budget_of(PART), budget_of("xczu3eg-sbva484-1-e")
    assert (with_some.limits[-1], without.limits[-1]) == (64, 0)
    point = explorer_of(chain, without).smallest(400)
    row = row_of(point, without)
    assert (row["uram"], row["uram_share"]) == (0, 0.0)
    assert burden(point.solution.used, without) > 0


@pytest.mark.parametrize("part", ["xck26-sfvc784-2LV-c", "xczu3eg-sbva484-1-e", "xczu7ev-ffvc1156"])
def test_parts_of_the_table(part):
    capacity = asdict(part_of(part))
    pairs = zip(RESOURCES, budget_of(part).limits, strict=True)
    assert all(limit <= capacity[name] for name, limit in pairs)


def test_products_that_a_narrow_multiplier_does_not_take_count_twice(space, mapped):
    """Two 8-bit pixels 18 bits apart need 27 bits; DSP48E1 has 25."""
    narrow = space_of(mapped, part_of("xc7z020clg400-1"), pumped=False)
    dense = [unit.name for unit in units_of(mapped) if unit.kernels]
    for name, choices in narrow.units.items():
        assert all(choice.cost[-1] == 0 for choice in choices if "ultra" not in str(choice.entry))
        pairs = zip(choices, space.units[name], strict=True)
        for choice, wide in pairs:
            ours = name in dense and dict(choice.entry)["kernel"] == "Dense"
            assert choice.cost[2] == wide.cost[2] * (2 if ours else 1), name


def test_a_row_that_lacks_something(monkeypatch, tmp_path):
    rows = tmp_path / "parts.toml"
    rows.write_text("[xczu1]\nlut = 10\nff = 20\n")
    monkeypatch.setattr(known_parts, "PARTS", rows)
    with pytest.raises(UserError, match="xczu1 in parts.toml lacks dsp, bram18, uram; give whole"):
        parts.__wrapped__()


# -- the small network -----------------------------------------------------------------------------


def test_the_folding_file_builds_exactly_within_the_cycles(point, mapped, small_golden, tmp_path):
    model = fold(mapped, write_folding(point, tmp_path))
    assert max(getCustomOp(n).get_exp_cycles() for n in model.graph.node) <= CYCLES
    assert point.solution.cycles <= CYCLES
    paddings = [getCustomOp(n) for n in model.graph.node if n.op_type == "FMPadding_rtl"]
    assert paddings
    for padding in paddings:  # three rows in the time of one, or as wide as it gets
        top, _, bottom, _ = padding.get_nodeattr("Padding")
        widest = padding.get_nodeattr("SIMD") == padding.get_nodeattr("NumChannels")
        assert widest or (top + 1 + bottom) * padding.get_exp_cycles() <= CYCLES
    verify(model, small_golden, "fold")


def test_the_predicted_cost_is_that_of_the_folded_model(space, point, mapped, tmp_path):
    """Units, converters, weight memories, expected FIFOs and what is reserved."""
    model = fold(mapped, write_folding(point, tmp_path))
    costs = [cost_of(memory.resources()) for memory, _ in weight_memories(model).values()]
    for unit in units_of(model):
        held = held_by_branches(model, unit)
        costs += [cost_of(unit.resources()), *fifo_costs(unit, held)]
    assert total([*costs, budget_of(PART).reserved]) == point.solution.used


def test_ctrl_c_is_still_python_s_after_a_search(sigint, point):
    assert point.solution.cycles <= CYCLES
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_the_budget_is_kept_and_both_kernels_are_used(point):
    budget = budget_of(PART)
    assert all(n <= limit for n, limit in zip(point.solution.used, budget.limits, strict=True))
    assert {dict(c.entry).get("kernel") for c in point.solution.chosen.values()} >= {"Dense"}


def test_the_same_search_gives_the_same_folding(space, point):
    again = explorer_of(space).smallest(CYCLES)
    assert again.solution.chosen == point.solution.chosen


def test_searches_around_a_folding_make_it_cheaper(space):
    budget = budget_of(PART)
    start = Problem(space, budget, CYCLES).solve(2.0)
    assert (start.bound, start.gap(budget)) == (0, 1)  # nothing was minimised
    found = improved(space, budget, CYCLES, start, 2.0)
    assert burden(found.used, budget) < burden(start.used, budget)
    assert found.cycles <= CYCLES
    assert found.used == used_by(space, found.chosen, budget)


def test_more_of_a_resource_is_never_slower(space):
    fastest = [explorer_of(space, with_limit("dsp", dsp)).fastest() for dsp in (200, 600)]
    cycles = [found.solution.cycles for found, _ in fastest]
    assert cycles[0] > cycles[1]
    assert all(bound <= found.solution.cycles for found, bound in fastest)


def test_dsps_that_do_not_suffice_are_named(space):
    with pytest.raises(UserError, match=r"fits the budget: dsp of \d+, where 90 are allowed"):
        explorer_of(space, with_limit("dsp", 90)).smallest(CYCLES)


def test_fronts_and_comparison_as_files(space, mapped, tmp_path):
    spaces = (space_of(mapped, part_of(PART), pumped=True), space)
    fronts = [explorer_of(one).front(3) for one in spaces]
    write_fronts(fronts, tmp_path)
    rows = read_csv(tmp_path / "front.csv")
    record = json.loads((tmp_path / "front.json").read_text())
    assert [int(row["cycles"]) for row in rows] == [p["cycles"] for p in record["points"]]
    for front, pumped in zip(fronts, ("True", "False"), strict=True):
        rates = [float(row["fps"]) for row in rows if row["pumped"] == pumped]
        assert rates == sorted(set(rates))
        assert rates[0] >= 60
        assert record["no_folding_below_cycles"][front.label] <= front.points[-1].solution.cycles
    assert fronts[0].points[-1].solution.cycles <= fronts[1].points[-1].solution.cycles
    assert len({row["folding"] for row in rows}) == len(rows)
    assert record["git"]
    assert "ortools" in record["versions"]
    for row in rows:
        apply_table(mapped, json.loads((tmp_path / row["folding"]).read_text()), row["folding"])
    assert (tmp_path / "front.png").read_bytes().startswith(b"\x89PNG")
    write_comparison(comparison(replace(fronts[1], points=fronts[1].points[-1:]), mapped), tmp_path)
    ours, finn = read_csv(tmp_path / "comparison.csv")
    assert (ours["folding"], finn["folding"]) == ("explore", "SetFolding")
    assert int(finn["lut"]) > int(ours["lut"])


def test_a_front_is_the_same_side_by_side(chain):
    explorer = explorer_of(chain, Budget((1_000, 1_000, 100, 100, 100), (0,) * 5))
    fronts = [explorer.front(4, jobs) for jobs in (1, 2)]
    found = [[(p.fps, p.solution.chosen) for p in front.points] for front in fronts]
    assert found[0] == found[1]
    assert len(found[0]) > 1
    assert len(explorer.front(1).points) == 1


@pytest.mark.parametrize("clk_mhz", [0.0001, 0.0239, 0.024, 0.02401, 0.03])
def test_a_front_of_a_network_that_is_slow_begins_with_its_fastest(chain, clk_mhz):
    """400 cycles a frame are 60 frames a second at 0.024 MHz."""
    explorer = explorer_of(chain, Budget((1_000, 1_000, 100, 100, 100), (0,) * 5))
    explorer.clk_mhz = clk_mhz
    points = explorer.front(4).points
    assert [point.solution.cycles for point in points] == [400]
    assert points[0].fps == round(clk_mhz * 1e6 / 400, 1)


def test_a_start_that_is_too_slow_is_refused(chain):
    explorer = explorer_of(chain, Budget((1_000, 1_000, 100, 100, 100), (0,) * 5))
    with pytest.raises(ValueError, match="a start of 800 cycles for at most 400"):
        explorer.smallest(400, explorer.smallest(800).solution)


# -- twice the clock, and AMD's shares -------------------------------------------------------------


def kernels_of(space):
    entries = (dict(c.entry) for choices in space.units.values() for c in choices)
    return {entry["kernel"] for entry in entries if "kernel" in entry}


def test_units_at_twice_the_clock_are_there_when_asked_for(space, mapped):
    assert kernels_of(space) == {"Dense", "MVAU"}
    pumped = space_of(mapped, part_of(PART), pumped=True)
    assert kernels_of(pumped) == {"Dense", "MVAU", "DensePumped"}
    assert not any(unit.double_clock for unit in units_of(mapped))  # left as it was
    for name, choices in pumped.units.items():
        by_entry = {c.entry: c for c in choices}
        for c in choices:
            entry = dict(c.entry)
            if entry.get("kernel") != "DensePumped":
                continue
            single = by_entry[tuple((entry | {"kernel": "Dense"}).items())]
            assert single.cycles / 2 <= c.cycles <= single.cycles, name
            assert (c.cost[2], c.lanes) == (single.cost[2], single.lanes), name  # DSPs
            assert c.cost[0] >= single.cost[0], name


def test_a_folding_file_chooses_them(mapped):
    name = next(unit.name for unit in units_of(mapped) if unit.kernels)
    apply_table(mapped, {name: {"kernel": "DensePumped"}}, "here")
    assert [unit.name for unit in units_of(mapped) if unit.double_clock] == [name]
    apply_table(mapped, {name: {"kernel": "Dense"}}, "here")
    assert not any(unit.double_clock for unit in units_of(mapped))


def test_shares_of_the_guideline():
    full, guideline = budget_of(PART), budget_of(PART, "guideline")
    assert guideline.limits == (81_984, 117_120, 998, 230, 51)
    assert guideline.reserved == full.reserved
    with pytest.raises(UserError, match="no shares of a part are called half; use full, guideline"):
        budget_of(PART, "half")
