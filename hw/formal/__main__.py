# SPDX-License-Identifier: Apache-2.0
"""All proofs and their mutants as a table; exit code 1 if one does not end as it must."""

from __future__ import annotations

import argparse
import sys

from host.common.tables import to_markdown
from hw.formal.proofs import PROOFS
from hw.formal.prove import Proof, run

HEADER = ["module", "sizes", "shows", "method, cycles", "ends", "seconds", "mutants refused"]


def row(proof: Proof) -> tuple[list[str], bool]:
    """A line of the table, and whether all is as it must be."""
    result = run(proof)
    refused = sum(not run(proof, mutant).holds for mutant in proof.mutants)
    cells = [
        f"`{proof.module}`", proof.sizes, proof.shows, proof.method,
        "proven" if result.holds else f"refused: {result.text}", f"{result.seconds:.1f}",
        f"{refused} of {len(proof.mutants)}",
    ]  # fmt: skip
    return cells, result.holds and refused == len(proof.mutants)


def main() -> int:
    """Exit code."""
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    rows, good = [], True
    for proof in PROOFS:
        cells, as_it_must = row(proof)
        good &= as_it_must
        rows.append(cells)
        print(f"{proof.module} {proof.sizes}: {cells[4]}, {cells[6]} mutants", file=sys.stderr)
    print(to_markdown(HEADER, rows))
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
