// SPDX-License-Identifier: Apache-2.0
//
// First-in first-out buffer in a memory of one's choice.
//
// STYLE RAM_SRL          shift register LUTs     latency 2   holds DEPTH + 1 words
//       RAM_DISTRIBUTED  LUT memory              latency 2   holds DEPTH + 1 words
//       RAM_BLOCK        block RAM               latency 3   holds DEPTH + 2 words
//       RAM_ULTRA        UltraRAM                latency 3   holds DEPTH + 2 words
// Latency is from the acceptance of a word by the empty buffer to its offer; one word a cycle.
// The words beyond DEPTH sit in the output register and, for block and UltraRAM, in the memory's
// read latch before it, so that both registers of the memory primitive are used.
//
// Simulation only: `peak` is the largest number of words held since reset, printed at the end with
// +peaks. A buffer of DEPTH >= peak would never have stalled its source.
`default_nettype none

module kl_fifo
  import kl_pkg::*;
#(
  parameter int unsigned WIDTH = 8,       // bits of a word
  parameter int unsigned DEPTH = 32,      // words of memory, at least 2
  parameter ram_style_e  STYLE = RAM_SRL  // memory, see above
) (
  input wire logic clk,
  input wire logic rst_n,

  input  wire logic [WIDTH-1:0] s_axis_tdata,
  input  wire logic             s_axis_tvalid,
  output logic                  s_axis_tready,

  output logic      [WIDTH-1:0] m_axis_tdata,
  output logic                  m_axis_tvalid,
  input  wire logic             m_axis_tready
);

  localparam int unsigned COUNT_WIDTH = $clog2(DEPTH + 1);
  localparam int unsigned ADDRESS_WIDTH = idx_width(DEPTH);
  localparam logic [ADDRESS_WIDTH-1:0] LAST = ADDRESS_WIDTH'(DEPTH - 1);

  if (WIDTH < 1) begin : g_illegal_width
    $fatal(1, "kl_fifo: WIDTH=%0d must be at least 1", WIDTH);
  end
  if (DEPTH < 2) begin : g_illegal_depth
    $fatal(1, "kl_fifo: DEPTH=%0d must be at least 2", DEPTH);
  end

  logic [COUNT_WIDTH-1:0] stored;  // 0..DEPTH, words in the memory
  logic store;  // a word goes into the memory
  logic fetch;  // takes the oldest word out of the memory
  logic advance;  // the output register takes its next word
  logic [WIDTH-1:0] head;  // next word for the output register
  logic head_valid;

  assign s_axis_tready = stored != COUNT_WIDTH'(DEPTH);
  assign store         = s_axis_tvalid && s_axis_tready;
  assign advance       = !m_axis_tvalid || m_axis_tready;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      stored        <= '0;
      m_axis_tvalid <= 1'b0;
    end else begin
      stored <= stored + COUNT_WIDTH'(store) - COUNT_WIDTH'(fetch);
      if (advance) m_axis_tvalid <= head_valid;
    end
  end

  always_ff @(posedge clk) if (advance) m_axis_tdata <= head;

  // The oldest word is at position stored - 1
  if (STYLE == RAM_SRL) begin : g_srl
    (* shreg_extract = "yes" *)
    logic [WIDTH-1:0] shift[DEPTH];

    always_ff @(posedge clk) begin
      if (store) begin
        for (int unsigned i = DEPTH - 1; i > 0; i--) shift[i] <= shift[i-1];
        shift[0] <= s_axis_tdata;
      end
    end

    assign head       = shift[ADDRESS_WIDTH'(stored-1'b1)];
    assign head_valid = stored != '0;
    assign fetch      = head_valid && advance;
  end else begin : g_ring
    logic [ADDRESS_WIDTH-1:0] write_at, read_at;  // 0..DEPTH-1

    always_ff @(posedge clk) begin
      if (!rst_n) begin
        write_at <= '0;
        read_at  <= '0;
      end else begin
        if (store) write_at <= write_at == LAST ? '0 : write_at + 1'b1;
        if (fetch) read_at <= read_at == LAST ? '0 : read_at + 1'b1;
      end
    end

    if (STYLE == RAM_DISTRIBUTED) begin : g_direct
      (* ram_style = "distributed" *)
      logic [WIDTH-1:0] ring[DEPTH];

      always_ff @(posedge clk) if (store) ring[write_at] <= s_axis_tdata;

      assign head       = ring[read_at];
      assign head_valid = stored != '0;
      assign fetch      = head_valid && advance;
    end else begin : g_latched
      logic latch_valid;  // the memory's read latch holds a word

      kl_memory #(
        .WIDTH(WIDTH),
        .DEPTH(DEPTH),
        .STYLE(STYLE)
      ) u_ring (
        .clk          (clk),
        .write        (store),
        .write_address(write_at),
        .write_word   (s_axis_tdata),
        .read         (fetch),
        .read_address (read_at),
        .read_word    (head)
      );

      always_ff @(posedge clk) begin
        if (!rst_n) latch_valid <= 1'b0;
        else if (advance || !latch_valid) latch_valid <= fetch;
      end

      assign head_valid = latch_valid;
      assign fetch      = stored != '0 && (advance || !latch_valid);
    end
  end

`ifndef SYNTHESIS
  int unsigned peak  /* verilator public_flat_rd */;
  int unsigned held;  // words accepted and not yet delivered
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      held <= 0;
      peak <= 0;
    end else begin
      held <= held + 32'(store) - 32'(m_axis_tvalid && m_axis_tready);
      if (held > peak) peak <= held;
    end
  end

  final if ($test$plusargs("peaks") != 0) $display("peak %m %0d", peak);

  a_range :
  assert property (@(posedge clk) disable iff (!rst_n) stored <= COUNT_WIDTH'(DEPTH))
  else $error("%m: %0d words in a memory of DEPTH=%0d", stored, DEPTH);

  kl_stream_check #(
    .WIDTH(WIDTH)
  ) u_check (
    .clk   (clk),
    .rst_n (rst_n),
    .tdata (m_axis_tdata),
    .tvalid(m_axis_tvalid),
    .tready(m_axis_tready)
  );
`endif

endmodule

`default_nettype wire
