// SPDX-License-Identifier: Apache-2.0
//
// Dual-pixel matrix-vector unit: out[p][m] = sum over k of x[p][k] * w[k][m], where each word of
// weights serves two neighbouring pixels p.
//
// s_axis:   for each pixel, MW/SIMD words of SIMD inputs.
// s_weight: for each pair of pixels, for each fold of PE outputs, for each word of inputs: PE
//           groups of SIMD weights; the group of the fold's first output is least significant.
// m_axis:   for each pixel, MH/PE words of PE sums.
// Lane 0 is least significant. Pairs begin anew with each frame of PIXELS pixels: the last of an
// odd number goes alone, in the first slot of a pair.
//
// One DSP48E2 multiplies a weight with a pair of inputs, a = x1 * 2**18 + x0:
//   Up to four of them form a chain, p = sum of a * w = s1 * 2**18 + s0, where s0 and s1 are the
//   sums of the chain's products for the two pixels. |x| <= 255 and |w| <= 128, so |s0| and |s1|
//   are at most 130560 < 2**17. Hence s0 is p[17:0] read as signed. As p - s0 = s1 * 2**18, s1 is
//   p[35:18], which the borrow of a negative s0 made one too small, plus p[17]. And
//   |p| <= 130560 * (2**18 + 1) < 2**35.
//   a fits the 27 bits of the multiplier: unsigned 255 * 2**18 + 255 < 2**26, signed at the lowest
//   -128 * 2**18 - 128 >= -2**26. As bits it is {x1, 18'(x0)} with x1 one less where x0 < 0.
//   The operand, product and sum registers are those of the DSP, the chain is its cascade.
//
// With N = MW/SIMD and M = MH/PE a pair takes max(N * M, 2 * N, 2 * M) cycles: the ports pass its
// 2 * N words in and its 2 * M words out beside the computation of N * M words of weights.
// There are C = ceil(SIMD / 4) chains of L = ceil(SIMD / C) lanes. Latency L + ceil(log2(C)) + 6
// cycles from the last weight of a fold to its sums of the pair's first pixel; weights are taken
// from the cycle after the last input of the pair.
`default_nettype none

module kl_dense #(
  parameter int unsigned PIXELS       = 2,   // of a frame
  parameter int unsigned MW           = 4,   // inputs of a pixel
  parameter int unsigned MH           = 4,   // outputs of a pixel
  parameter int unsigned SIMD         = 2,   // inputs in a word, divides MW
  parameter int unsigned PE           = 2,   // outputs in a word, divides MH
  parameter int unsigned ACT_WIDTH    = 8,   // bits of an input, 1..8
  parameter bit          ACT_SIGNED   = 0,
  parameter int unsigned WEIGHT_WIDTH = 8,   // signed, 2..8
  parameter int unsigned ACC_WIDTH    = 24   // bits of a sum, at most 48; must hold every sum
) (
  input  wire logic                            clk,
  input  wire logic                            rst_n,

  input  wire logic [SIMD*ACT_WIDTH-1:0]       s_axis_tdata,
  input  wire logic                            s_axis_tvalid,
  output logic                                 s_axis_tready,

  input  wire logic [PE*SIMD*WEIGHT_WIDTH-1:0] s_weight_tdata,
  input  wire logic                            s_weight_tvalid,
  output logic                                 s_weight_tready,

  output logic [PE*ACC_WIDTH-1:0]              m_axis_tdata,
  output logic                                 m_axis_tvalid,
  input  wire logic                            m_axis_tready
);

  if (PIXELS < 1) begin : g_illegal_pixels
    $fatal(1, "kl_dense: PIXELS=%0d is not positive", PIXELS);
  end
  if (SIMD < 1 || MW < 1 || MW % SIMD != 0) begin : g_illegal_simd
    $fatal(1, "kl_dense: SIMD=%0d does not divide MW=%0d", SIMD, MW);
  end
  if (PE < 1 || MH < 1 || MH % PE != 0) begin : g_illegal_pe
    $fatal(1, "kl_dense: PE=%0d does not divide MH=%0d", PE, MH);
  end
  if (ACT_WIDTH < 1 || ACT_WIDTH > 8) begin : g_illegal_act
    $fatal(1, "kl_dense: ACT_WIDTH=%0d is not in 1..8", ACT_WIDTH);
  end
  if (WEIGHT_WIDTH < 2 || WEIGHT_WIDTH > 8) begin : g_illegal_weight
    $fatal(1, "kl_dense: WEIGHT_WIDTH=%0d is not in 2..8", WEIGHT_WIDTH);
  end
  if (ACC_WIDTH < 1 || ACC_WIDTH > 48) begin : g_illegal_acc
    $fatal(1, "kl_dense: ACC_WIDTH=%0d is not in 1..48", ACC_WIDTH);
  end

  localparam int unsigned IN_FOLDS  = MW / SIMD;
  localparam int unsigned OUT_FOLDS = MH / PE;
  localparam int unsigned PERIOD    = PIXELS % 2 == 1 ? PIXELS : 2;  // pairs begin anew after it

  localparam int unsigned CHAINS = (SIMD + 3) / 4;
  localparam int unsigned LENGTH = (SIMD + CHAINS - 1) / CHAINS;
  localparam int unsigned LEAD   = CHAINS * LENGTH - SIMD;  // places left empty in the first chain
  localparam int unsigned LEVELS = $clog2(CHAINS);
  localparam int unsigned LEAVES = 1 << LEVELS;
  localparam int unsigned STAGES = LENGTH + LEVELS + 4;     // accept to complete sums

  localparam int unsigned SPACING    = 18;  // bits between the pixels in a DSP
  localparam int unsigned A_WIDTH    = 27;
  localparam int unsigned M_WIDTH    = A_WIDTH + WEIGHT_WIDTH;
  localparam int unsigned P_WIDTH    = 2 * SPACING;
  localparam int unsigned NODE_WIDTH = SPACING + LEVELS + 1;  // with the carry bit

  // Sums of one pair, and those that come while it leaves
  localparam int unsigned PLACES = OUT_FOLDS + (STAGES + 3) / IN_FOLDS + 2;

  localparam int unsigned IN_AT_WIDTH  = $clog2(2 * IN_FOLDS);
  localparam int unsigned IN_WIDTH     = IN_FOLDS > 1 ? $clog2(IN_FOLDS) : 1;
  localparam int unsigned OUT_WIDTH    = OUT_FOLDS > 1 ? $clog2(OUT_FOLDS) : 1;
  localparam int unsigned PIXEL_WIDTH  = PERIOD > 1 ? $clog2(PERIOD) : 1;
  localparam int unsigned PLACE_WIDTH  = $clog2(PLACES);
  localparam int unsigned PLACES_WIDTH = $clog2(PLACES + 1);

  localparam logic [IN_WIDTH-1:0]    LAST_IN    = IN_WIDTH'(IN_FOLDS - 1);
  localparam logic [OUT_WIDTH-1:0]   LAST_OUT   = OUT_WIDTH'(OUT_FOLDS - 1);
  localparam logic [PIXEL_WIDTH-1:0] LAST_PIXEL = PIXEL_WIDTH'(PERIOD - 1);
  localparam logic [PLACE_WIDTH-1:0] LAST_PLACE = PLACE_WIDTH'(PLACES - 1);
  localparam logic [IN_AT_WIDTH-1:0] BANK_1     = IN_AT_WIDTH'(IN_FOLDS);

  // Input buffer: two banks of a pair each, a memory for each slot of the pair
  (* ram_style = "distributed" *) logic [SIMD*ACT_WIDTH-1:0] inputs_0[2*IN_FOLDS];
  (* ram_style = "distributed" *) logic [SIMD*ACT_WIDTH-1:0] inputs_1[2*IN_FOLDS];
  logic [1:0]                full;      // banks that hold a whole pair
  logic                      in_bank;   // being filled
  logic [IN_AT_WIDTH-1:0]    in_at;     // 0..2*IN_FOLDS-1
  logic [IN_WIDTH-1:0]       in_fold;   // 0..IN_FOLDS-1
  logic [PIXEL_WIDTH-1:0]    in_pixel;  // 0..PERIOD-1; odd ones are second of their pair
  logic                      take, in_last, fills;

  assign s_axis_tready = !full[in_bank];
  assign take          = s_axis_tvalid && s_axis_tready;
  assign in_last       = in_fold == LAST_IN;
  assign fills         = take && in_last && (in_pixel[0] || in_pixel == LAST_PIXEL);

  always_ff @(posedge clk) begin
    if (take && !in_pixel[0]) inputs_0[in_at] <= s_axis_tdata;
    if (take && in_pixel[0]) inputs_1[in_at] <= s_axis_tdata;
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      in_bank  <= 1'b0;
      in_at    <= '0;
      in_fold  <= '0;
      in_pixel <= '0;
    end else if (take) begin
      in_bank <= in_bank ^ fills;
      in_fold <= in_last ? '0 : in_fold + 1'b1;
      if (in_last) in_pixel <= in_pixel == LAST_PIXEL ? '0 : in_pixel + 1'b1;
      if (in_last) in_at <= in_bank ^ fills ? BANK_1 : '0;
      else in_at <= in_at + 1'b1;
    end
  end

  // Control: each word of weights meets one word of each pixel of the pair
  logic                   room;     // for one more word of sums
  logic                   accept;
  logic                   bank;     // being read
  logic [IN_AT_WIDTH-1:0] at;       // 0..2*IN_FOLDS-1
  logic [IN_WIDTH-1:0]    fold;     // 0..IN_FOLDS-1
  logic [OUT_WIDTH-1:0]   out;      // 0..OUT_FOLDS-1
  logic                   last, empties;
  logic [STAGES:1]        complete; // complete[i]: stage i holds the last word of a sum
  logic [STAGES-1:1]      valid;    // valid[i]: stage i holds a word
  logic [STAGES-1:1]      first;    // first[i]: stage i holds the first word of a sum

  assign s_weight_tready = room && full[bank];
  assign accept          = s_weight_tvalid && s_weight_tready;
  assign last            = fold == LAST_IN;
  assign empties         = accept && last && out == LAST_OUT;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      full     <= '0;
      bank     <= 1'b0;
      at       <= '0;
      fold     <= '0;
      out      <= '0;
      complete <= '0;
      valid    <= '0;
    end else begin
      if (fills) full[in_bank] <= 1'b1;
      if (empties) full[bank] <= 1'b0;
      if (accept) begin
        bank <= bank ^ empties;
        fold <= last ? '0 : fold + 1'b1;
        if (last) out <= out == LAST_OUT ? '0 : out + 1'b1;
        if (last) at <= bank ^ empties ? BANK_1 : '0;
        else at <= at + 1'b1;
      end
      complete <= {complete[STAGES-1:1], accept && last};
      valid    <= {valid[STAGES-2:1], accept};
    end
  end

  always_ff @(posedge clk) first <= {first[STAGES-2:1], fold == '0};

  // Stages 1 to LENGTH: words of inputs and weights; lane j of a chain reads them at stage 1 + j
  (* shreg_extract = "no" *)
  logic [LENGTH:1][1:0][SIMD-1:0][ACT_WIDTH-1:0]       inputs;
  (* shreg_extract = "no" *)
  logic [LENGTH:1][PE-1:0][SIMD-1:0][WEIGHT_WIDTH-1:0] weights;

  always_ff @(posedge clk) begin
    inputs[1]  <= {inputs_1[at], inputs_0[at]};
    weights[1] <= s_weight_tdata;
    for (int unsigned i = 2; i <= LENGTH; i++) begin
      inputs[i]  <= inputs[i-1];
      weights[i] <= weights[i-1];
    end
  end

  // Stages 2 to LENGTH + 3: operands, products and sums of the chains
  logic signed [A_WIDTH-1:0]      a[SIMD], a_next[SIMD];
  logic signed [WEIGHT_WIDTH-1:0] b[PE][SIMD], b_next[PE][SIMD];
  logic signed [M_WIDTH-1:0]      m[PE][SIMD], m_next[PE][SIMD];
  logic signed [P_WIDTH-1:0]      p[PE][SIMD], p_next[PE][SIMD];

  always_comb begin
    for (int unsigned lane = 0; lane < SIMD; lane++) begin
      automatic int unsigned stage = 1 + (lane + LEAD) % LENGTH;
      automatic logic [ACT_WIDTH-1:0] x0 = inputs[stage][0][lane];
      automatic logic [ACT_WIDTH-1:0] x1 = inputs[stage][1][lane];
      automatic logic negative_0 = ACT_SIGNED && x0[ACT_WIDTH-1];
      automatic logic negative_1 = ACT_SIGNED && x1[ACT_WIDTH-1];
      a_next[lane] = {(A_WIDTH - SPACING)'($signed({negative_1, x1})) -
                      (A_WIDTH - SPACING)'(negative_0), SPACING'($signed({negative_0, x0}))};
    end
    for (int unsigned pe = 0; pe < PE; pe++) begin
      for (int unsigned lane = 0; lane < SIMD; lane++) begin
        b_next[pe][lane] = $signed(weights[1+(lane+LEAD)%LENGTH][pe][lane]);
        m_next[pe][lane] = M_WIDTH'(a[lane]) * M_WIDTH'(b[pe][lane]);
        p_next[pe][lane] = P_WIDTH'(m[pe][lane]);
        if (lane > 0 && (lane + LEAD) % LENGTH > 0) p_next[pe][lane] += p[pe][lane-1];
      end
    end
  end

  always_ff @(posedge clk) begin
    a <= a_next;
    b <= b_next;
    m <= m_next;
    p <= p_next;
  end

  // Stages LENGTH + 4 to STAGES - 1: a tree over the chains, for each slot. Node i adds its
  // children 2 * i and 2 * i + 1; the nodes from LEAVES on are the chains, node 1 is the root. The
  // lowest bit of a node is a carry still to be added, the borrow of a chain: a parent adds that of
  // its left child and passes on that of its right.
  logic signed [NODE_WIDTH-1:0] node[2][PE][2*LEAVES], node_next[2][PE][LEAVES];
  logic signed [NODE_WIDTH-1:0] tree[2][PE][LEAVES];

  always_comb begin
    for (int unsigned slot = 0; slot < 2; slot++) begin
      for (int unsigned pe = 0; pe < PE; pe++) begin
        for (int unsigned i = 0; i < LEAVES; i++) begin
          node[slot][pe][i]        = tree[slot][pe][i];
          node[slot][pe][LEAVES+i] = '0;
        end
        for (int unsigned i = 0; i < CHAINS; i++) begin
          automatic logic [P_WIDTH-1:0] chain = p[pe][(i+1)*LENGTH-1-LEAD];
          node[slot][pe][LEAVES+i] = NODE_WIDTH'($signed(
              {chain[slot*SPACING+:SPACING], slot == 1 && chain[SPACING-1]}));
        end
        node_next[slot][pe][0] = '0;
        for (int unsigned i = 1; i < LEAVES; i++) begin
          automatic logic signed [NODE_WIDTH-1:0] right = node[slot][pe][2*i+1];
          node_next[slot][pe][i]    = node[slot][pe][2*i] + {right[NODE_WIDTH-1:1], 1'b1};
          node_next[slot][pe][i][0] = right[0];
        end
      end
    end
  end

  always_ff @(posedge clk) tree <= node_next;

  // Stage STAGES: the accumulators; first clears, the carry left at the root comes in
  logic [1:0][PE-1:0][ACC_WIDTH-1:0] sums, sums_next;

  always_comb begin
    for (int unsigned slot = 0; slot < 2; slot++) begin
      for (int unsigned pe = 0; pe < PE; pe++) begin
        automatic logic [ACC_WIDTH-1:0] sum = first[STAGES-1] ? '0 : sums[slot][pe];
        automatic logic [ACC_WIDTH:0] total =
            {sum, 1'b1} + (ACC_WIDTH + 1)'(node[slot][pe][1]);
        sums_next[slot][pe] = ACC_WIDTH'(total >> 1);
      end
    end
  end

  always_ff @(posedge clk) if (valid[STAGES-1]) sums <= sums_next;

  // Output buffer: a ring of places, each for a word of both pixels. A claim takes a place as the
  // last weights are accepted; it is free when the word of the pair's last pixel has left.
  (* ram_style = "distributed" *) logic [PE*ACC_WIDTH-1:0] sums_0[PLACES];
  (* ram_style = "distributed" *) logic [PE*ACC_WIDTH-1:0] sums_1[PLACES];
  logic [PLACE_WIDTH-1:0]   write_at, read_at, pair_at;  // 0..PLACES-1; pair_at: start of the pair
  logic [PLACES_WIDTH-1:0]  free, free_next;             // 0..PLACES, not claimed
  logic [PLACES_WIDTH-1:0]  fresh;                       // 0..PLACES, words of first slots to go
  logic [OUT_WIDTH-1:0]     m_fold;                      // 0..OUT_FOLDS-1
  logic [PIXEL_WIDTH-1:0]   m_pixel;                     // 0..PERIOD-1
  logic                     claim, push, pop, frees, m_last;
  logic [PLACE_WIDTH-1:0]   read_next;

  assign claim     = accept && last;
  assign push      = complete[STAGES];
  assign pop       = (!m_axis_tvalid || m_axis_tready) && (m_pixel[0] || fresh != '0);
  assign m_last    = m_fold == LAST_OUT;
  assign frees     = pop && (m_pixel[0] || m_pixel == LAST_PIXEL);
  assign free_next = free - PLACES_WIDTH'(claim) + PLACES_WIDTH'(frees);
  assign read_next = read_at == LAST_PLACE ? '0 : read_at + 1'b1;

  always_ff @(posedge clk) begin
    if (push) sums_0[write_at] <= sums[0];
    if (push) sums_1[write_at] <= sums[1];
    if (pop) m_axis_tdata <= m_pixel[0] ? sums_1[read_at] : sums_0[read_at];
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      write_at      <= '0;
      read_at       <= '0;
      pair_at       <= '0;
      free          <= PLACES_WIDTH'(PLACES);
      room          <= 1'b0;
      fresh         <= '0;
      m_fold        <= '0;
      m_pixel       <= '0;
      m_axis_tvalid <= 1'b0;
    end else begin
      if (push) write_at <= write_at == LAST_PLACE ? '0 : write_at + 1'b1;
      free  <= free_next;
      room  <= free_next != '0;
      fresh <= fresh + PLACES_WIDTH'(push) - PLACES_WIDTH'(pop && !m_pixel[0]);
      if (pop) begin
        m_fold <= m_last ? '0 : m_fold + 1'b1;
        if (m_last) m_pixel <= m_pixel == LAST_PIXEL ? '0 : m_pixel + 1'b1;
        read_at <= m_last && !frees ? pair_at : read_next;
        if (m_last && frees) pair_at <= read_next;
      end
      if (pop || m_axis_tready) m_axis_tvalid <= pop;
    end
  end

`ifndef SYNTHESIS
  a_claim :
  assert property (@(posedge clk) disable iff (!rst_n) claim |-> free != '0)
  else $error("kl_dense: claim of a place with none free");
  a_stable :
  assert property (@(posedge clk) disable iff (!rst_n)
                   m_axis_tvalid && !m_axis_tready |=> m_axis_tvalid && $stable(m_axis_tdata))
  else $error("kl_dense: changed an offer that was not taken");
`endif

endmodule

`default_nettype wire
