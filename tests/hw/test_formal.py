# SPDX-License-Identifier: Apache-2.0
"""The quick proofs hold and their mutants do not; what the prover refuses."""

from dataclasses import replace

import pytest

from host.common.errors import ToolError, UserError
from hw.formal.proofs import PROOFS
from hw.formal.prove import COMMON, FOLDER, Mutant, run

QUICK = [proof for proof in PROOFS if proof.quick]
MUTANTS = [(proof, mutant) for proof in QUICK for mutant in proof.mutants]


def named(value):
    return f"{value.name} {value.sizes}".strip() if hasattr(value, "sizes") else None


@pytest.mark.parametrize("proof", QUICK, ids=named)
def test_the_proof_holds(proof):
    result = run(proof)
    assert result.holds, result.text


@pytest.mark.parametrize(("proof", "mutant"), MUTANTS, ids=named)
def test_a_mutant_is_refused(proof, mutant):
    result = run(proof, mutant)
    assert not result.holds
    assert "Assert failed" in result.text


@pytest.mark.slow
@pytest.mark.parametrize("proof", [p for p in PROOFS if not p.quick], ids=named)
def test_the_longer_proofs_hold(proof):
    assert run(proof).holds
    assert not any(run(proof, mutant).holds for mutant in proof.mutants)


def test_every_file_of_the_folder_is_proven():
    shared = {path.stem for path in FOLDER.glob(COMMON)}
    files = {path.stem for path in FOLDER.glob("*.sv")} - shared
    assert files == {proof.name for proof in PROOFS}


def test_a_mutant_that_changes_nothing_is_no_mutant():
    text = "'nothing of the kind' stands 0 times in .*kl_fifo.sv; it must be there once"
    with pytest.raises(UserError, match=text):
        run(PROOFS[0], Mutant("kl_fifo", "nothing of the kind", ""))


def test_what_yosys_cannot_read_is_no_result():
    mutant = Mutant("kl_fifo", "logic head_valid;", "logic head_valid")
    with pytest.raises(ToolError, match="exit code 1 on fifo; log: ") as caught:
        run(replace(PROOFS[0], depth=1), mutant)
    caught.value.log.unlink()
