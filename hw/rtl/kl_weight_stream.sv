// SPDX-License-Identifier: Apache-2.0
//
// Weight memory: streams DEPTH words in a circle, one a cycle, for as long as they are taken.
//
// Memory image FILE: hexadecimal, DEPTH words of WIDTH bits in the order of the stream. LUT and
// block memories begin with it. UltraRAM begins with nothing; in simulation the plusarg +preload
// fills it from FILE.
//
// CHAIN = 0: a constant memory; the stream begins with the end of reset.
// CHAIN = 1: the memory is one hop of the chain from weight_port through all memories and back. It
// streams from word 0 while `run` comes down the chain, offers nothing otherwise, and can then be
// written and read. A hop is a register; nothing stalls. From the high bits down:
//   run | valid | kind[1:0] | taken | data[31:0]
//   SELECT  data = memory CHAIN_ID [31:20], word [19:0]; begins at slice 0 of that word
//   WRITE   data = next slice; a word of WIDTH bits has ceil(WIDTH/32), the lowest bits first, and
//           is written with its last
//   READ    the next slice is put into data; 16 cycles after the packet before
// The memory that follows a packet sets `taken`. After the last word it takes no further slice.
//
// The memory has one port to write and one to read with an output register.
// READ_REGS = 0: both stop together while a word waits; m_axis_tready reaches clock enables only.
// First word 2 cycles after the start. READ_REGS > 0: as many more registers behind the memory,
// none ever stopped, for synthesis to move into a cascade of UltraRAMs, then an output fifo. First
// word READ_REGS + 4 cycles after the start.
`default_nettype none

module kl_weight_stream #(
  parameter int unsigned WIDTH     = 8,        // bits of a word
  parameter int unsigned DEPTH     = 1,        // words, at most 2**20
  parameter              RAM_STYLE = "block",  // "distributed", "block" or "ultra"
  parameter              FILE      = "",
  parameter int unsigned READ_REGS = 0,        // registers between memory and output fifo, 0..8
  parameter bit          CHAIN     = 0,        // on the chain
  parameter int unsigned CHAIN_ID  = 0         // index on the chain, 0..4095
) (
  input  wire logic             clk,
  input  wire logic             rst_n,

  input  wire logic [36:0]      chain_in,      // '0 where CHAIN = 0
  output logic [36:0]           chain_out,     // '0 where CHAIN = 0

  output logic [WIDTH-1:0]      m_axis_tdata,
  output logic                  m_axis_tvalid,
  input  wire logic             m_axis_tready
);

  /* verilator lint_off WIDTHEXPAND */ // literals of unequal length
  localparam bit ULTRA       = RAM_STYLE == "ultra";
  localparam bit BLOCK       = RAM_STYLE == "block";
  localparam bit STYLE_KNOWN = RAM_STYLE == "distributed" || BLOCK || ULTRA;
  /* verilator lint_on WIDTHEXPAND */

  if (WIDTH < 1) begin : g_illegal_width
    $fatal(1, "kl_weight_stream: WIDTH=%0d is not positive", WIDTH);
  end
  if (DEPTH < 1 || DEPTH > 1 << 20) begin : g_illegal_depth
    $fatal(1, "kl_weight_stream: DEPTH=%0d is not in 1..1048576", DEPTH);
  end
  if (!STYLE_KNOWN) begin : g_illegal_style
    $fatal(1, "kl_weight_stream: RAM_STYLE=\"%0s\" is unknown; use distributed, block or ultra",
           RAM_STYLE);
  end
  if (FILE == "") begin : g_illegal_file
    $fatal(1, "kl_weight_stream: FILE is empty; name the memory image");
  end
  if (READ_REGS > 8) begin : g_illegal_registers
    $fatal(1, "kl_weight_stream: READ_REGS=%0d is not in 0..8", READ_REGS);
  end
  if (ULTRA && !CHAIN) begin : g_illegal_ultra
    $fatal(1, "kl_weight_stream: RAM_STYLE=\"ultra\" with CHAIN=0 has no contents; set CHAIN=1");
  end
  if (CHAIN_ID > 4095) begin : g_illegal_id
    $fatal(1, "kl_weight_stream: CHAIN_ID=%0d is not in 0..4095", CHAIN_ID);
  end

  localparam int unsigned ADDRESS_WIDTH = DEPTH > 1 ? $clog2(DEPTH) : 1;
  localparam bit [ADDRESS_WIDTH-1:0] LAST = ADDRESS_WIDTH'(DEPTH - 1);

  logic                     running;    // the stream is on
  logic [ADDRESS_WIDTH-1:0] address;    // 0..DEPTH-1, read in this cycle
  logic                     fetch;      // the word at address goes to the stream
  logic                     advance;    // read registers take their next word
  logic [WIDTH-1:0]         read_word;  // last read register
  logic                     write;
  logic [ADDRESS_WIDTH-1:0] write_address;
  logic [WIDTH-1:0]         write_word;

  // Memory
  logic [WIDTH-1:0] latch;

  if (CHAIN) begin : g_ram
    (* ram_style = RAM_STYLE *)
    logic [WIDTH-1:0] words[DEPTH];

    if (!ULTRA) begin : g_initial
      initial $readmemh(FILE, words);
    end
`ifndef SYNTHESIS
    else begin : g_preload
      initial if ($test$plusargs("preload") != 0) $readmemh(FILE, words);
    end
`endif

    always @(posedge clk) if (write) words[write_address] <= write_word;
    always_ff @(posedge clk) if (advance) latch <= words[address];
  end else if (BLOCK) begin : g_block_rom
    (* rom_style = "block" *)
    logic [WIDTH-1:0] words[DEPTH];
    initial $readmemh(FILE, words);

    always_ff @(posedge clk) if (advance) latch <= words[address];
  end else begin : g_lut_rom
    (* rom_style = "distributed" *)
    logic [WIDTH-1:0] words[DEPTH];
    initial $readmemh(FILE, words);

    always_ff @(posedge clk) if (advance) latch <= words[address];
  end

  // Stream
  if (READ_REGS == 0) begin : g_stalled
    logic latch_valid;

    assign advance   = !m_axis_tvalid || m_axis_tready;
    assign fetch     = running && advance;
    assign read_word = m_axis_tdata;

    always_ff @(posedge clk) if (advance) m_axis_tdata <= latch;

    always_ff @(posedge clk) begin
      if (advance) begin
        latch_valid   <= fetch;
        m_axis_tvalid <= latch_valid;
      end
      if (!rst_n || !running) begin
        latch_valid   <= 1'b0;
        m_axis_tvalid <= 1'b0;
      end
    end
  end else begin : g_pipelined
    logic [WIDTH-1:0]   registers[READ_REGS];
    logic [READ_REGS:0] valid;  // 0: of the latch
    logic               room;

    assign advance   = 1'b1;
    assign fetch     = running && room;
    assign read_word = registers[READ_REGS-1];

    always_ff @(posedge clk) begin
      registers[0] <= latch;
      for (int i = 1; i < READ_REGS; i++) registers[i] <= registers[i-1];
    end

    always_ff @(posedge clk) begin
      valid <= {valid[READ_REGS-1:0], fetch};
      if (!rst_n || !running) valid <= '0;
    end

    kl_output_fifo #(
      .WIDTH(WIDTH)
    ) u_output_fifo (
      .clk          (clk),
      .rst_n        (rst_n && running),
      .room         (room),
      .claim        (fetch),
      .push         (valid[READ_REGS]),
      .push_data    (registers[READ_REGS-1]),
      .m_axis_tdata (m_axis_tdata),
      .m_axis_tvalid(m_axis_tvalid),
      .m_axis_tready(m_axis_tready)
    );
  end

  // Constant memory
  if (!CHAIN) begin : g_constant
    assign running       = 1'b1;
    assign write         = 1'b0;
    assign write_address = '0;
    assign write_word    = '0;
    assign chain_out     = '0;

    always_ff @(posedge clk) begin
      if (!rst_n) address <= '0;
      else if (fetch) address <= address == LAST ? '0 : address + 1'b1;
    end

    wire unused = &{1'b0, chain_in, read_word, write, write_address, write_word};
  end

  // Hop of the chain
  else begin : g_chain
    localparam int unsigned SLICES      = (WIDTH + 31) / 32;
    localparam int unsigned SLICE_WIDTH = SLICES > 1 ? $clog2(SLICES) : 1;
    localparam bit [1:0] SELECT = 2'd0, WRITE = 2'd1, READ = 2'd2;

    logic        run, valid, taken;  // the packet in this hop
    logic [1:0]  kind;
    logic [31:0] data;

    logic                   selected;  // the next slice is this memory's
    logic [SLICE_WIDTH-1:0] slice;     // 0..SLICES-1, the next
    logic                   found, use_slice, use_word;
    logic [SLICES*32-1:0]   padded_word;

    always_ff @(posedge clk) begin
      {run, valid, kind, taken, data} <= chain_in;
      if (!rst_n) begin
        run   <= 1'b0;
        valid <= 1'b0;
      end
    end

    assign found     = valid && !run && kind == SELECT && data[31:20] == 12'(CHAIN_ID)
                       && 21'(data[19:0]) < 21'(DEPTH);
    assign use_slice = valid && !run && selected && (kind == WRITE || kind == READ);
    assign use_word  = use_slice && slice == SLICE_WIDTH'(SLICES - 1);

    always_ff @(posedge clk) begin
      running <= run;
      if (found) slice <= '0;
      else if (use_slice) slice <= use_word ? '0 : slice + 1'b1;
      if (valid && kind == SELECT) selected <= found;
      else if (run || (use_word && address == LAST)) selected <= 1'b0;
      if (!rst_n) begin
        running  <= 1'b0;
        selected <= 1'b0;
      end
    end

    always_ff @(posedge clk) begin
      if (run && !running) address <= '0;
      else if (found) address <= data[ADDRESS_WIDTH-1:0];
      else if (fetch || use_word) address <= address == LAST ? '0 : address + 1'b1;
    end

    // Write: slices come in at the top and move down, until the first of a word is at the bottom
    if (SLICES == 1) begin : g_one_slice
      always_ff @(posedge clk) write_word <= data[WIDTH-1:0];
    end else begin : g_slices
      logic [SLICES*32-1:0] collected;

      always_ff @(posedge clk) if (use_slice) collected <= {data, collected[SLICES*32-1:32]};
      assign write_word = collected[WIDTH-1:0];
    end

    always_ff @(posedge clk) begin
      write         <= rst_n && use_word && kind == WRITE;
      write_address <= address;
    end

    assign padded_word = (SLICES*32)'(read_word);

    always_comb begin
      chain_out = {run, valid, kind, taken || found || use_slice, data};
      if (use_slice && kind == READ) chain_out[31:0] = padded_word[slice*32 +: 32];
    end

`ifndef SYNTHESIS
    int unsigned settled;  // cycles since the last packet
    always_ff @(posedge clk) settled <= valid || !rst_n ? 1 : settled + 32'(settled != 16);

    a_settled :
    assert property (@(posedge clk) disable iff (!rst_n)
                     use_slice && kind == READ |-> settled == 16)
    else $error("kl_weight_stream: READ %0d cycles after the packet before; leave 16", settled);
`endif
  end

`ifndef SYNTHESIS
  a_stable :
  assert property (@(posedge clk) disable iff (!rst_n || !running)
                   m_axis_tvalid && !m_axis_tready |=>
                   !running || (m_axis_tvalid && $stable(m_axis_tdata)))
  else $error("kl_weight_stream: changed an offer that was not taken");
`endif

endmodule

`default_nettype wire
