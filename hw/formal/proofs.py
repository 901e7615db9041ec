# SPDX-License-Identifier: Apache-2.0
"""All proofs, each with the faults that it must refuse."""

from __future__ import annotations

from hw.formal.prove import Mutant, Proof
from hw.ops.base import ram_symbol
from hw.ops.fifo import STYLES

_FIFO = "nothing lost or doubled, in order, offers stay, an offer within two cycles"
_RING = (Mutant("kl_fifo", "'0 : read_at + 1'b1;", "'0 : read_at;"),)
_FIFO_MUTANTS = {
    "srl": (
        Mutant("kl_fifo", "assign head       = shift[ADDRESS_WIDTH'(stored-1'b1)];",
               "assign head       = shift[0];"),
        Mutant("kl_fifo", "stored != COUNT_WIDTH'(DEPTH);", "stored != '1;"),
    ),
    "distributed": (*_RING, Mutant("kl_fifo", "if (advance) m_axis_tvalid", "m_axis_tvalid")),
    "block": (*_RING, Mutant("kl_fifo", "if (advance || !latch_valid) latch_valid", "latch_valid")),
    "ultra": (*_RING, Mutant("kl_fifo", "stored != '0 && (advance || !latch_valid)", "advance")),
}  # fmt: skip
_SKID = Mutant("kl_stream_register", "if (!spare_valid) spare", "spare")

PROOFS = (
    *(
        Proof(
            name="fifo",
            module="kl_fifo",
            shows=_FIFO,
            depth=3,
            parameters={"WIDTH": width, "DEPTH": depth, "STYLE": ram_symbol(style)},
            mutants=_FIFO_MUTANTS[style],
            quick=depth < 16,
        )
        for width, depth in ((3, 5), (8, 16))
        for style in STYLES
    ),
    Proof(
        name="stream_register",
        module="kl_stream_register",
        depth=2,
        shows="nothing lost or doubled, in order, offers stay, a word inside is on offer",
        mutants=(_SKID, Mutant("kl_stream_register", "if (advance) m_axis_tdata", "m_axis_tdata")),
    ),
    Proof(
        name="stream_fork",
        module="kl_stream_fork",
        depth=2,
        shows="every output has every word once, in order; offers stay",
        mutants=(
            Mutant("kl_stream_fork", "waiting     <= waiting & ~m_axis_tready;", ""),
            Mutant("kl_stream_fork", "if (!spare_valid) spare", "spare"),
        ),
    ),
    *(
        Proof(
            name="output_fifo",
            module="kl_output_fifo",
            depth=3,
            parameters={"WIDTH": 3, "DEPTH": depth},
            quick=depth < 16,
            shows="no push finds it full, no place lost, in order, offers stay",
            mutants=(
                Mutant("kl_output_fifo", "room <= free_next != '0;", "room <= 1'b1;"),
                Mutant("kl_output_fifo", "+ COUNT_WIDTH'(m_axis_tvalid && m_axis_tready)", ""),
            ),
        )
        for depth in (5, 16)
    ),
    *(
        Proof(
            name="stream_add",
            module="kl_stream_add",
            depth=2,
            parameters={"SIGNED": signed},
            shows="sums of the n-th words, both inputs or none",
            mutants=(
                _SKID,
                Mutant("kl_stream_add", "{2{both && ready}}", "{2{ready}}"),
                Mutant("kl_stream_add", "{SIGNED && a[i][WIDTH-1], a[i]}", "{!SIGNED, a[i]}"),
            ),
        )
        for signed in (0, 1)
    ),
    Proof(
        name="stream_concat",
        module="kl_stream_concat",
        depth=2,
        shows="words of the inputs in turn, each once, offers stay",
        mutants=(
            _SKID,
            Mutant("kl_stream_concat", "beat == last_beats[source]", "beat == last_beats[0]"),
            Mutant("kl_stream_concat", "ready && source == SOURCE_WIDTH'(i)", "ready"),
        ),
    ),
)
