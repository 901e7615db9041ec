# SPDX-License-Identifier: Apache-2.0
"""What decides whether a design meets its clock, as far as it can be known without Vivado.

How full the part is, beside AMD's guideline; and, of units that yosys has synthesised, the widest
enables, the control signals that reach most pins, memories without output register and the longest
ways. See docs/timing.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from build_flows.explore.budget import FILLS, RESOURCES, capacity_of
from host.common.tables import to_markdown

GUIDELINE = "guideline"  #: of FILLS
LISTS = {
    "widest_enables": ("flip-flops and shift registers behind one enable", "its signal"),
    "largest_fanouts": ("pins behind one control signal", "its signal"),
    "open_memories": ("block and UltraRAMs without output register", ""),
    "deepest_ways": ("LUTs and carry chains in a row", "from register to register"),
}
"""Of build_flows.synthesise: what each counts, and what is named beside."""


def fill(budget: Mapping[str, Any], part: str) -> dict[str, dict[str, Any]]:
    """Share of each resource of ``part`` beside the guideline's; ``budget`` as in the report.

    What the part has none of is left out.
    """
    found = {}
    for name, has, guideline in zip(RESOURCES, capacity_of(part), FILLS[GUIDELINE], strict=True):
        if has:
            share = round(budget[name]["used"] / has, 3)
            found[name] = {"share": share, "guideline": guideline, "kept": share <= guideline}
    return found


def page(report: Mapping[str, Any]) -> str:
    """The page of a report in Markdown."""
    name, synthesis = report["config"]["name"], report["synthesis"]
    rows = [
        (resource, f"{row['share']:.0%}", f"{row['guideline']:.0%}", "yes" if row["kept"] else "NO")
        for resource, row in report["fill"].items()
    ]
    table = to_markdown(("resource", "used", "guideline (UG1292)", "kept"), rows)
    parts = nets(synthesis) if synthesis else (
        "Nets and ways are not known: `python -m build_flows synthesise --config "
        f"{name}` finds them.\n"
    )  # fmt: skip
    return f"# Timing of {name}\n\nEstimated; no part was implemented.\n\n{table}\n{parts}"


def nets(synthesis: Mapping[str, Any]) -> str:
    """Tables of the widest enables and so on in results of build_flows.synthesise."""
    tables = []
    for key, (counted, named) in LISTS.items():
        heads = ("unit", counted, named) if named else ("unit", counted)
        rows = ([*row.values()] for row in synthesis[key])
        tables.append(to_markdown(heads, rows))
    return "\n".join(tables)
