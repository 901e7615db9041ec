# SPDX-License-Identifier: Apache-2.0
"""All proofs, each with the faults that it must refuse."""

from __future__ import annotations

from hw.formal.prove import Mutant, Proof
from hw.generate import ram_symbol
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
    *(
        Proof(
            name="width_converter",
            module="kl_width_converter",
            depth=2,
            parameters={"IN": lanes, "OUT": out_lanes},
            shows="every lane once, in order; offers stay, a whole word within two cycles",
            mutants=(
                Mutant("kl_width_converter", "left <= COUNT_WIDTH'(SIZE - TAKEN)", "1'b1"),
                Mutant("kl_width_converter", "give ? COUNT_WIDTH'(GIVEN) : '0", "'0"),
                Mutant("kl_width_converter", *fault),
            ),
        )
        for lanes, out_lanes, fault in (
            (1, 3, ("if (!spare_valid) spare", "spare")),
            (4, 1, ("if (give) read_at", "read_at")),
            (3, 2, ("if (give) read_at", "read_at")),
            (2, 3, ("if (take) write_at", "write_at")),
        )
    ),
    *(
        Proof(
            name="upsample",
            module="kl_upsample",
            depth=2,
            parameters={"ZEROS": zeros},
            shows="words go in at their first places and stand in all others, or zeros do",
            mutants=(
                _SKID,
                Mutant("kl_upsample", "= ready && fresh;", "= ready;"),
                Mutant("kl_upsample", "address <= pixel;", "address <= address + 1'b1;"),
                Mutant("kl_upsample", "again_y == '0;", "1'b1;"),
            ),
        )
        for zeros in (0, 1)
    ),
    Proof(
        name="lookup",
        module="kl_lookup",
        depth=6,
        memories={
            "lookup_start0.hex": "04\n00\n",
            "lookup_start1.hex": "1d\n05\n19\n09\n",
            "lookup_code.hex": "4\n3\n6\n1\n0\n5\n2\n7\n",
        },
        shows="the code of the steps that an accumulator reaches, of its own channel",
        mutants=(
            Mutant("kl_lookup", "signed'(a) >= signed'(start)", "signed'(a) > signed'(start)"),
            Mutant("kl_lookup", "LEVELS'({index[lane], reached})", "LEVELS'(index[lane])"),
            Mutant("kl_lookup", "folds[l+1] <= folds[l];", "folds[l+1] <= fold;"),
        ),
    ),
    *(
        Proof(
            name="dense_output",
            module="kl_dense_output",
            depth=3,
            parameters={"PIXELS": pixels, "SHARE": share},
            shows="the account of places is exact; the pixels of a group leave in order",
            mutants=(
                Mutant("kl_dense_output", "+ COUNT_WIDTH'(frees)", ""),
                Mutant("kl_dense_output", "last && !frees ? group_at : read_next", "read_next"),
                Mutant("kl_dense_output", "room  <= free_next != '0;", "room  <= 1'b1;"),
            ),
        )
        for pixels, share in ((2, 2), (3, 2), (6, 4))
    ),
    *(
        Proof(
            name="dense_products_2x",
            module="kl_dense_products_2x",
            depth=depth,
            parameters={"SIMD": simd},
            quick=simd == 1,
            two_clocks=True,
            shows="the sums of a cycle's words, both pairs, come so many cycles later",
            mutants=(
                Mutant("kl_dense_products_2x", "phase ^ phase_before;", "!(phase ^ phase_before);"),
                Mutant(
                    "kl_dense_products_2x",
                    "M_WIDTH'(a) * M_WIDTH'(b)",
                    "M_WIDTH'(chosen) * M_WIDTH'(b)",
                ),
                Mutant("kl_dense_products_2x", "held <= ends;", "held <= '0;"),
            ),
        )
        for simd, depth in ((1, 40), (2, 44))
    ),
    Proof(
        name="dense_products_triple",
        module="kl_dense_products_triple",
        depth=8,
        parameters={"ACT_WIDTH": 3, "WEIGHT_WIDTH": 2},
        quick=False,
        shows="sums of three outputs in a DSP, each by itself, of all weights and inputs",
        mutants=(
            Mutant("kl_dense_products_triple", "MIDDLE = 11'd1023;", "MIDDLE = 11'd3;"),
            Mutant("kl_dense_products_triple", "^ !ACT_SIGNED;", "^ 1'b0;"),
            Mutant("kl_dense_products_triple", "<= w_sum[i-1];", "<= w_sum[2];"),
        ),
    ),
    Proof(
        name="axil_slave",
        module="kl_axil_slave",
        depth=2,
        shows="every access reaches the module once, as sent, with one response; responses stay",
        mutants=(
            _SKID,
            Mutant("kl_axil_slave", "data_valid && response_ready", "data_valid"),
            Mutant("kl_axil_slave", "        s_axil_arready <= 1'b0;\n", ""),
        ),
    ),
    *(
        Proof(
            name="weight_stream",
            module="kl_weight_stream",
            depth=4,
            parameters={"WIDTH": width},
            shows="a word taken is the word written, a read gives it, no packet stops the stream",
            mutants=(
                Mutant("kl_chain_hop", "(packet.run || (step && at_last))", "(packet.run)"),
                Mutant(
                    "kl_chain_hop",
                    "packet.valid && !packet.run && selected",
                    "packet.valid && selected",
                ),
                Mutant(
                    "kl_weight_stream", "if (restart) address <= '0;", "if (1'b0) address <= '0;"
                ),
                Mutant(
                    "kl_weight_reader", "if (read) m_axis_tdata <= word;", "m_axis_tdata <= word;"
                ),
            ),
        )
        for width in (4, 33)
    ),
    Proof(
        name="weight_port",
        module="kl_weight_port",
        depth=3,
        shows="a read ends within 16 cycles, two a hop and 4; a write waits for nothing else",
        mutants=(
            Mutant("kl_weight_port", "reading && !asked && settle == '0", "reading && !asked"),
            Mutant("kl_weight_port", "reading ? back : read_valid", "reading ? 1'b0 : read_valid"),
            Mutant("kl_weight_port", "- 14'(tail.valid)", "- 14'(tail.taken)"),
        ),
    ),
    Proof(
        name="frame_gate",
        module="kl_frame_gate",
        depth=14,
        bounded=True,
        quick=False,
        shows="the frames of whole packets leave, in order, whole and once, and no other",
        mutants=(
            Mutant("kl_frame_gate", "(state == PASS && in_last)", "(1'b1)"),
            Mutant(
                "kl_frame_gate", "in_valid && in_last) state <= PASS", "in_valid) state <= PASS"
            ),
        ),
    ),
)
