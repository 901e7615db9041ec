# SPDX-License-Identifier: Apache-2.0
"""The choice for every unit by constraint programming (OR-tools CP-SAT).

Each unit takes one of its choices that keeps to a bound of cycles; each link carries a pair of
lanes, which must be those of the choices at its ends and pays for a width converter where they
differ; the sum of every resource stays within its limit.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import ceil, prod
from typing import Any

from ortools.sat.python import cp_model

from build_flows.explore.budget import RESOURCES, Budget, Cost
from build_flows.explore.choices import Choice, Link, Space, total
from host.common.errors import UserError

SCALE = 100_000_000  #: share of a limit in the objective's integers
SCARCEST = 4  #: weight of the largest share beside the sum of all
RELAXED = 100  #: multiple of a limit that stands for no limit
SPARE = 8  #: times the least parallelism that a unit may have
SEED = 4
GAP = 0.002  #: a search ends when no other choice can be better by more than this share
ROUNDS = 80  #: searches around a folding
FREED = 0.2  #: share of the units that each of them may change
ROUND_LIMIT = 0.05  #: time limit of each, as a share of the whole search's


@dataclass(frozen=True)
class Solution:
    """A choice for every unit."""

    chosen: dict[str, Choice]
    used: Cost
    """Sum of each resource, what is reserved included."""
    cycles: int
    """Of the slowest unit."""
    bound: float
    """What :func:`burden` of any choice is at least; 0 if nothing is known."""
    seconds: float

    def gap(self, budget: Budget) -> float:
        """How much better another choice can be at most, as a share of the burden."""
        return max(0.0, 1 - self.bound / burden(self.used, budget))


@dataclass(frozen=True)
class Unsolved:
    """No choice found; ``proven`` if there is none, otherwise the time limit ended the search."""

    proven: bool
    seconds: float


def cycle_bounds(space: Space) -> list[int]:
    """All numbers of cycles that can be those of the slowest unit, ascending."""
    least = fastest(space)[0]
    cycles = {c.cycles for choices in space.units.values() for c in choices}
    return sorted(c for c in cycles if c >= least)


def fastest(space: Space) -> tuple[int, str]:
    """Cycles of the unit that cannot be made faster than any other can, and its name."""
    return max((min(c.cycles for c in choices), name) for name, choices in space.units.items())


def candidates(choices: tuple[Choice, ...], cycles: int) -> list[Choice]:
    """Those of ``choices`` that keep to ``cycles`` and are not dominated at the same lanes.

    What is more than SPARE times as parallel as the bound asks for is left out.
    """
    enough = [c for c in choices if c.cycles <= cycles]
    least = min(_parallelism(c) for c in enough)
    groups = defaultdict(list)
    for choice in enough:
        if _parallelism(choice) <= SPARE * least:
            groups[choice.lanes].append(choice)
    return [c for group in groups.values() for c in _undominated(group)]


def _parallelism(choice: Choice) -> int:
    return prod(value for _, value in choice.entry if isinstance(value, int))


def _undominated(group: list[Choice]) -> list[Choice]:
    kept: list[Choice] = []
    for choice in sorted(group, key=lambda c: (sum(c.cost), c.cost, c.cycles, str(c.entry))):
        if not any(_no_more(other.cost, choice.cost) for other in kept):
            kept.append(choice)
    return kept


def _no_more(a: Cost, b: Cost) -> bool:
    return all(x <= y for x, y in zip(a, b, strict=True))


class Problem:
    """The constraint model of a space under a bound of cycles and a budget."""

    def __init__(self, space: Space, budget: Budget, cycles: int) -> None:
        least, slowest = fastest(space)
        if cycles < least:
            raise UserError(
                f"{space.described(slowest)} needs {least} cycles a frame even when unfolded; "
                f"ask for at least that instead of {cycles}"
            )
        self.space, self.budget = space, budget
        self.model = cp_model.CpModel()
        self.units = {n: candidates(c, cycles) for n, c in space.units.items()}
        self.picks = {n: [self.model.new_bool_var("") for _ in c] for n, c in self.units.items()}
        self.terms: list[tuple[cp_model.IntVar, Cost]] = []
        for name, picks in self.picks.items():
            self.model.add_exactly_one(picks)
            costs = (choice.cost for choice in self.units[name])
            self.terms += list(zip(picks, costs, strict=True))
        for link in space.links:
            self._connect(link)
        self.used = [self._limit(i) for i in range(len(RESOURCES))]

    def _lanes(self, name: str, side: int) -> dict[int, list[cp_model.IntVar]]:
        """Picks of a unit by the lanes of its input (0) or output (1)."""
        groups = defaultdict(list)
        for choice, pick in zip(self.units[name], self.picks[name], strict=True):
            groups[choice.lanes[side]].append(pick)
        return groups

    def _connect(self, link: Link) -> None:
        """One pair of lanes is in use, that of the picks at both ends."""
        outs, ins = self._lanes(link.source, 1), self._lanes(link.sink, 0)
        pairs = {(a, b): self.model.new_bool_var("") for a in outs for b in ins
                 if a == b or not link.rigid}  # fmt: skip
        for a, picks in outs.items():
            self.model.add(sum(v for p, v in pairs.items() if p[0] == a) == sum(picks))
        for b, picks in ins.items():
            self.model.add(sum(v for p, v in pairs.items() if p[1] == b) == sum(picks))
        self.terms += [(v, self.space.converter(link, *p)) for p, v in pairs.items()]

    def _limit(self, index: int) -> cp_model.LinearExprT:
        limit, reserved = self.budget.limits[index], self.budget.reserved[index]
        used = sum(cost[index] * var for var, cost in self.terms if cost[index]) + reserved
        self.model.add(used <= limit)
        return used

    def prefer_least(self) -> None:
        """Minimise :func:`burden`, in integers."""
        shares = _shares(self.used, self.budget)
        worst = self.model.new_int_var(0, 2 * RELAXED * SCALE, "")
        for share in shares:
            self.model.add(worst >= share)
        self.model.minimize(_burden(shares, worst))

    def prefer_least_of(self, resource: str) -> None:
        """Minimise one resource."""
        self.model.minimize(self.used[RESOURCES.index(resource)])

    def hint(self, chosen: dict[str, Choice]) -> None:
        """Begin the search at a choice for every unit."""
        for name, picks in self.picks.items():
            for choice, pick in zip(self.units[name], picks, strict=True):
                self.model.add_hint(pick, choice == chosen[name])

    def solve(self, time_limit: float) -> Solution | Unsolved:
        """Search for ``time_limit`` deterministic seconds of the solver."""
        solver = cp_model.CpSolver()
        solver.parameters.max_deterministic_time = time_limit
        solver.parameters.random_seed = SEED
        solver.parameters.num_workers = 1
        solver.parameters.catch_sigint_signal = False  # its handler would stay in place of Python's
        solver.parameters.linearization_level = 2  # the relaxation is close to the integers
        solver.parameters.cp_model_probing_level = 0
        solver.parameters.symmetry_level = 0
        solver.parameters.relative_gap_limit = GAP
        solver.solve(self.model)
        status = solver.status_name()
        if status not in ("OPTIMAL", "FEASIBLE"):
            return Unsolved(status == "INFEASIBLE", solver.wall_time)
        chosen = {
            name: next(c for c, p in zip(self.units[name], picks, strict=True) if solver.value(p))
            for name, picks in self.picks.items()
        }
        return Solution(
            chosen,
            used_by(self.space, chosen, self.budget),
            max(choice.cycles for choice in chosen.values()),
            max(solver.best_objective_bound / SCALE, 0.0),
            solver.wall_time,
        )


def improved(
    space: Space, budget: Budget, cycles: int, start: Solution, time_limit: float
) -> Solution:
    """A choice of no more burden than ``start``, found by searches around the best so far.

    Each search may change some units, half of them neighbours, and keeps the others.
    """
    chance, names, best = random.Random(SEED), list(space.units), start
    count = ceil(FREED / 2 * len(names))
    for _ in range(ROUNDS):
        if best.gap(budget) <= GAP:
            break
        first = chance.randrange(len(names))
        freed = {*(names + names)[first : first + count], *chance.sample(names, count)}
        units = {n: c if n in freed else (best.chosen[n],) for n, c in space.units.items()}
        problem = Problem(replace(space, units=units), budget, cycles)
        problem.prefer_least()
        problem.hint(best.chosen)
        found = problem.solve(ROUND_LIMIT * time_limit)
        if isinstance(found, Solution) and burden(found.used, budget) < burden(best.used, budget):
            best = replace(found, bound=start.bound)
    return best


def used_by(space: Space, chosen: dict[str, Choice], budget: Budget) -> Cost:
    """Resources of a choice with its width converters and what is reserved."""
    converters = [
        space.converter(link, chosen[link.source].lanes[1], chosen[link.sink].lanes[0])
        for link in space.links
    ]
    return total([budget.reserved, *(c.cost for c in chosen.values()), *converters])


def burden(used: Cost, budget: Budget) -> float:
    """What a search for the least minimises: shares of the limits, the largest above all."""
    shares = _shares(used, budget)
    return float(_burden(shares, max(shares)) / SCALE)


def _shares(used: Iterable[Any], budget: Budget) -> list[Any]:
    """Each resource, a number or an expression, as a share of its limit in parts of SCALE.

    Of what a part has none nothing is used.
    """
    parts = (round(SCALE / limit) if limit else 0 for limit in budget.limits)
    return [n * part for n, part in zip(used, parts, strict=True)]


def _burden(shares: list[Any], worst: Any) -> Any:
    return sum(shares) + SCARCEST * worst


def without_limit(budget: Budget, *resources: str) -> Budget:
    """``budget`` with practically no limit of some resources."""
    limits = (v * RELAXED if n in resources else v
              for n, v in zip(RESOURCES, budget.limits, strict=True))  # fmt: skip
    return replace(budget, limits=tuple(limits))
