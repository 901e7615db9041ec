// SPDX-License-Identifier: Apache-2.0
//
// First-in first-out buffer in a memory of one's choice.
//
// STYLE "srl"          shift register LUTs     latency 2   holds DEPTH + 1 words
//       "distributed"  LUT memory              latency 2   holds DEPTH + 1 words
//       "block"        block RAM               latency 3   holds DEPTH + 2 words
//       "ultra"        UltraRAM                latency 3   holds DEPTH + 2 words
// Latency is from the acceptance of a word by the empty buffer to its offer; one word a cycle.
// The words beyond DEPTH sit in the output register and, for "block" and "ultra", in the memory's
// read latch before it, so that both registers of the memory primitive are used.
//
// Simulation only: `peak` is the largest number of words held since reset, printed at the end with
// +peaks. A buffer of DEPTH >= peak would never have stalled its source.
`default_nettype none

module kl_fifo #(
  parameter int WIDTH = 8,    // bits of a word
  parameter int DEPTH = 32,   // words of memory, at least 2
  parameter     STYLE = "srl" // memory, see above
) (
  input  wire logic clk,
  input  wire logic rst_n,

  input  wire logic [WIDTH-1:0] s_axis_tdata,
  input  wire logic             s_axis_tvalid,
  output wire logic             s_axis_tready,

  output logic [WIDTH-1:0] m_axis_tdata,
  output logic             m_axis_tvalid,
  input  wire logic        m_axis_tready
);

  localparam int COUNT_BITS = $clog2(DEPTH + 1);
  localparam int ADDR_BITS  = DEPTH > 1 ? $clog2(DEPTH) : 1;
  localparam bit [ADDR_BITS-1:0] LAST = ADDR_BITS'(DEPTH - 1);

  /* verilator lint_off WIDTHEXPAND */ // literals of unequal length
  localparam bit SRL         = STYLE == "srl";
  localparam bit DISTRIBUTED = STYLE == "distributed";
  localparam bit LATCHED     = STYLE == "block" || STYLE == "ultra";
  /* verilator lint_on WIDTHEXPAND */

  if (WIDTH < 1) begin : g_illegal_width
    $fatal(1, "kl_fifo: WIDTH=%0d must be at least 1", WIDTH);
  end
  if (DEPTH < 2) begin : g_illegal_depth
    $fatal(1, "kl_fifo: DEPTH=%0d must be at least 2", DEPTH);
  end
  if (!SRL && !DISTRIBUTED && !LATCHED) begin : g_illegal_style
    $fatal(1, "kl_fifo: STYLE=\"%0s\" is unknown; use srl, distributed, block or ultra", STYLE);
  end

  logic [COUNT_BITS-1:0] stored; // 0..DEPTH, words in the memory
  wire logic fetch;              // takes the oldest word out of the memory
  wire logic [WIDTH-1:0] head;   // next word for the output register
  wire logic             head_valid;

  assign s_axis_tready = stored != COUNT_BITS'(DEPTH);
  wire logic store     = s_axis_tvalid && s_axis_tready;
  wire logic advance   = !m_axis_tvalid || m_axis_tready;

  always_ff @(posedge clk) begin
    stored <= stored + COUNT_BITS'(store) - COUNT_BITS'(fetch);
    if (advance) m_axis_tvalid <= head_valid;
    if (!rst_n) begin
      stored        <= '0;
      m_axis_tvalid <= 1'b0;
    end
  end

  always_ff @(posedge clk) if (advance) m_axis_tdata <= head;

  // The oldest word is at position stored - 1.
  if (SRL) begin : g_srl
    (* shreg_extract = "yes" *)
    logic [WIDTH-1:0] shift [0:DEPTH-1];

    always_ff @(posedge clk) begin
      if (store) begin
        for (int i = DEPTH - 1; i > 0; i--) shift[i] <= shift[i-1];
        shift[0] <= s_axis_tdata;
      end
    end

    assign head       = shift[ADDR_BITS'(stored - 1'b1)];
    assign head_valid = stored != '0;
    assign fetch      = head_valid && advance;
  end

  // A ring; the pointers run over 0..DEPTH-1.
  else begin : g_ring
    (* ram_style = STYLE *)
    logic [WIDTH-1:0] ring [0:DEPTH-1];
    logic [ADDR_BITS-1:0] write_at, read_at;

    always_ff @(posedge clk) if (store) ring[write_at] <= s_axis_tdata;

    always_ff @(posedge clk) begin
      if (store) write_at <= write_at == LAST ? '0 : write_at + 1'b1;
      if (fetch) read_at <= read_at == LAST ? '0 : read_at + 1'b1;
      if (!rst_n) begin
        write_at <= '0;
        read_at  <= '0;
      end
    end

    if (DISTRIBUTED) begin : g_direct
      assign head       = ring[read_at];
      assign head_valid = stored != '0;
      assign fetch      = head_valid && advance;
    end else begin : g_latched
      logic [WIDTH-1:0] latch; // the read latch of the memory
      logic             latch_valid;

      always_ff @(posedge clk) if (fetch) latch <= ring[read_at];

      always_ff @(posedge clk) begin
        if (advance || !latch_valid) latch_valid <= fetch;
        if (!rst_n) latch_valid <= 1'b0;
      end

      assign head       = latch;
      assign head_valid = latch_valid;
      assign fetch      = stored != '0 && (advance || !latch_valid);
    end
  end

`ifndef SYNTHESIS
  int unsigned peak /* verilator public_flat_rd */;
  int unsigned held; // words accepted and not yet delivered
  always_ff @(posedge clk) begin
    held <= held + 32'(store) - 32'(m_axis_tvalid && m_axis_tready);
    if (held > peak) peak <= held;
    if (!rst_n) begin
      held <= 0;
      peak <= 0;
    end
  end

  final if ($test$plusargs("peaks") != 0) $display("peak %m %0d", peak);

  a_range :
  assert property (@(posedge clk) disable iff (!rst_n) stored <= COUNT_BITS'(DEPTH))
  else $error("kl_fifo: %0d words in a memory of DEPTH=%0d", stored, DEPTH);
  a_stable :
  assert property (@(posedge clk) disable iff (!rst_n)
                   m_axis_tvalid && !m_axis_tready |=> m_axis_tvalid && $stable(m_axis_tdata))
  else $error("kl_fifo: changed an offer that was not taken");
`endif

endmodule

`default_nettype wire
