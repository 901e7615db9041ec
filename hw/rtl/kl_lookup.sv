// SPDX-License-Identifier: Apache-2.0
//
// Any function of an accumulator: a binary search over the accumulators at which its code changes.
//
// Stream: NHWC, a word holds PE neighbouring channels, lane 0 in the least significant bits; fold f
// of a pixel holds the channels f*PE .. f*PE+PE-1.
// Level l of the search reads its start with the l bits of the index found so far; the accumulator
// reaches it or not, which is the next bit. With all bits found the code is read.
// Parameter memories: hexadecimal, words of PE lanes, lane 0 least significant, two's complement.
// START_FILE is the beginning of the names of LEVELS files, that of level l ends with the digit l
// and ".hex"; it has 2**l words a fold, CODE_FILE 2**LEVELS. Folds are CHANNELS/PE, or one when not
// PER_CHANNEL. Memories of more than 256 words are block RAM, one a lane.
// Latency LEVELS + 3 cycles, one word a cycle.
`default_nettype none

module kl_lookup
  import kl_pkg::*;
#(
  parameter int unsigned CHANNELS = 1,  // channels of a pixel
  parameter int unsigned PE = 1,  // channels in a word, divides CHANNELS
  parameter int unsigned ACC_WIDTH = 20,  // bits of an accumulator, 1..32
  parameter bit ACC_SIGNED = 1,
  parameter int unsigned OUT_WIDTH = 8,  // bits of a code
  parameter int unsigned LEVELS = 8,  // of the search, 1..9: up to 511 steps
  parameter bit PER_CHANNEL = 1,  // 0: one table for all channels
  parameter START_FILE = "",
  parameter CODE_FILE = ""
) (
  input wire logic clk,
  input wire logic rst_n,

  input  wire logic [PE*ACC_WIDTH-1:0] s_axis_tdata,
  input  wire logic                    s_axis_tvalid,
  output logic                         s_axis_tready,

  output logic      [PE*OUT_WIDTH-1:0] m_axis_tdata,
  output logic                         m_axis_tvalid,
  input  wire logic                    m_axis_tready
);

  if (PE < 1 || CHANNELS < 1 || CHANNELS % PE != 0) begin : g_illegal_pe
    $fatal(1, "kl_lookup: PE=%0d does not divide CHANNELS=%0d", PE, CHANNELS);
  end
  if (ACC_WIDTH < 1 || ACC_WIDTH > 32) begin : g_illegal_acc
    $fatal(1, "kl_lookup: ACC_WIDTH=%0d is not in 1..32", ACC_WIDTH);
  end
  if (OUT_WIDTH < 1 || OUT_WIDTH > 32) begin : g_illegal_out
    $fatal(1, "kl_lookup: OUT_WIDTH=%0d is not in 1..32", OUT_WIDTH);
  end
  if (LEVELS < 1 || LEVELS > 9) begin : g_illegal_levels
    $fatal(1, "kl_lookup: LEVELS=%0d is not in 1..9", LEVELS);
  end
  if (START_FILE == "" || CODE_FILE == "") begin : g_illegal_file
    $fatal(1, "kl_lookup: START_FILE or CODE_FILE is empty; name the memory images");
  end

  localparam int unsigned DEPTH = PER_CHANNEL ? CHANNELS / PE : 1;  // folds
  localparam int unsigned FOLD_WIDTH = idx_width(DEPTH);
  localparam int unsigned LUT_WORDS = 256;  // most of a memory in LUTs

  // Control: which fold comes next, and which stages hold a word
  logic room;
  logic accept;
  logic [FOLD_WIDTH-1:0] fold;  // 0..DEPTH-1
  logic [LEVELS:0] valid;  // valid[i]: what i memories have answered; the last: the code

  assign s_axis_tready = room;
  assign accept        = s_axis_tvalid && room;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      fold  <= '0;
      valid <= '0;
    end else begin
      valid <= {valid[LEVELS-1:0], accept};
      if (accept) fold <= fold == FOLD_WIDTH'(DEPTH - 1) ? '0 : fold + 1'b1;
    end
  end

  // Before each level: its fold and accumulators, and the bits of the index that are found
  logic [LEVELS:0][FOLD_WIDTH-1:0] folds;
  logic [LEVELS-1:0][PE*ACC_WIDTH-1:0] accs;
  logic [LEVELS:0][PE-1:0][LEVELS-1:0] found;
  logic [PE*OUT_WIDTH-1:0] out;

  assign folds[0] = fold;
  assign accs[0]  = s_axis_tdata;
  assign found[0] = '0;

  for (genvar l = 0; l < LEVELS; l++) begin : g_level
    localparam int unsigned WORDS = DEPTH << l;
    localparam int unsigned ADDRESS_WIDTH = idx_width(WORDS);

    logic [PE*ACC_WIDTH-1:0] acc;  // beside the start
    logic [PE-1:0][LEVELS-1:0] index;

    always_ff @(posedge clk) begin
      folds[l+1] <= folds[l];
      acc        <= accs[l];
      index      <= found[l];
    end
    if (l + 1 < LEVELS) begin : g_next
      assign accs[l+1] = acc;
    end

    for (genvar lane = 0; lane < PE; lane++) begin : g_lane
      logic [PE*ACC_WIDTH-1:0] word;
      logic [ACC_WIDTH-1:0] a, start;
      logic reached;

      kl_memory #(
        .WIDTH   (PE * ACC_WIDTH),
        .DEPTH   (WORDS),
        .STYLE   (WORDS > LUT_WORDS ? RAM_BLOCK : RAM_DISTRIBUTED),
        .FILE    ({START_FILE, 8'(8'h30 + l), ".hex"}),
        .WRITABLE(0)
      ) u_starts (
        .clk          (clk),
        .write        (1'b0),
        .write_address('0),
        .write_word   ('0),
        .read         (1'b1),
        .read_address (ADDRESS_WIDTH'((32'(folds[l]) << l) + 32'(found[l][lane]))),
        .read_word    (word)
      );

      assign a                = acc[lane*ACC_WIDTH+:ACC_WIDTH];
      assign start            = word[lane*ACC_WIDTH+:ACC_WIDTH];
      assign reached          = ACC_SIGNED ? signed'(a) >= signed'(start) : a >= start;
      assign found[l+1][lane] = LEVELS'({index[lane], reached});
    end
  end

  for (genvar lane = 0; lane < PE; lane++) begin : g_code
    localparam int unsigned WORDS = DEPTH << LEVELS;
    localparam int unsigned ADDRESS_WIDTH = idx_width(WORDS);

    logic [PE*OUT_WIDTH-1:0] word;

    kl_memory #(
      .WIDTH   (PE * OUT_WIDTH),
      .DEPTH   (WORDS),
      .STYLE   (WORDS > LUT_WORDS ? RAM_BLOCK : RAM_DISTRIBUTED),
      .FILE    (CODE_FILE),
      .WRITABLE(0)
    ) u_codes (
      .clk          (clk),
      .write        (1'b0),
      .write_address('0),
      .write_word   ('0),
      .read         (1'b1),
      .read_address (ADDRESS_WIDTH'((32'(folds[LEVELS]) << LEVELS) + 32'(found[LEVELS][lane]))),
      .read_word    (word)
    );

    assign out[lane*OUT_WIDTH+:OUT_WIDTH] = word[lane*OUT_WIDTH+:OUT_WIDTH];
  end

  kl_output_fifo #(
    .WIDTH(PE * OUT_WIDTH),
    .DEPTH(16)
  ) u_output_fifo (
    .clk          (clk),
    .rst_n        (rst_n),
    .room         (room),
    .claim        (accept),
    .push         (valid[LEVELS]),
    .push_data    (out),
    .m_axis_tdata (m_axis_tdata),
    .m_axis_tvalid(m_axis_tvalid),
    .m_axis_tready(m_axis_tready)
  );

endmodule

`default_nettype wire
