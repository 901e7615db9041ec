// SPDX-License-Identifier: Apache-2.0
//
// From the read port of a memory to a stream: asks for the next word and holds what comes.
//
// READ_REGS = 0: memory and output register stop together while a word waits; m_axis_tready
// reaches clock enables only. First word 2 cycles after the start.
// READ_REGS > 0: as many more registers behind the memory, none ever stopped, for synthesis to move
// into a cascade of UltraRAMs, then an output fifo. First word READ_REGS + 4 cycles after the start.
`default_nettype none

module kl_weight_reader #(
  parameter int unsigned WIDTH     = 8,  // bits of a word
  parameter int unsigned READ_REGS = 0   // registers between memory and output fifo
) (
  input wire logic clk,
  input wire logic rst_n,

  input  wire logic             running,   // the stream is on; off clears it
  output logic                  read,      // the memory's read register takes its next word
  output logic                  fetch,     // and that word is one for the stream
  input  wire logic [WIDTH-1:0] word,      // of the memory's read register
  output logic      [WIDTH-1:0] last_word, // the word in the last register

  output logic      [WIDTH-1:0] m_axis_tdata,
  output logic                  m_axis_tvalid,
  input  wire logic             m_axis_tready
);

  logic start_n;  // clears the stream

  assign start_n = rst_n && running;

  if (READ_REGS == 0) begin : g_stalled
    (* keep = "true" *)
    logic word_valid;  // kept apart from those of other parts of the same words

    assign read      = !m_axis_tvalid || m_axis_tready;
    assign fetch     = running && read;
    assign last_word = m_axis_tdata;

    always_ff @(posedge clk) if (read) m_axis_tdata <= word;

    always_ff @(posedge clk) begin
      if (!start_n) begin
        word_valid    <= 1'b0;
        m_axis_tvalid <= 1'b0;
      end else if (read) begin
        word_valid    <= fetch;
        m_axis_tvalid <= word_valid;
      end
    end

`ifndef SYNTHESIS
    kl_stream_check #(
      .WIDTH(WIDTH)
    ) u_check (
      .clk   (clk),
      .rst_n (start_n),
      .tdata (m_axis_tdata),
      .tvalid(m_axis_tvalid),
      .tready(m_axis_tready)
    );
`endif
  end else begin : g_pipelined
    logic [WIDTH-1:0] registers[READ_REGS];
    logic [READ_REGS:0] valid;  // 0: of the word
    logic room;

    assign read      = 1'b1;
    assign fetch     = running && room;
    assign last_word = registers[READ_REGS-1];

    always_ff @(posedge clk) begin
      registers[0] <= word;
      for (int unsigned i = 1; i < READ_REGS; i++) registers[i] <= registers[i-1];
    end

    always_ff @(posedge clk) begin
      if (!start_n) valid <= '0;
      else valid <= {valid[READ_REGS-1:0], fetch};
    end

    kl_output_fifo #(
      .WIDTH(WIDTH)
    ) u_output_fifo (
      .clk          (clk),
      .rst_n        (start_n),
      .room         (room),
      .claim        (fetch),
      .push         (valid[READ_REGS]),
      .push_data    (registers[READ_REGS-1]),
      .m_axis_tdata (m_axis_tdata),
      .m_axis_tvalid(m_axis_tvalid),
      .m_axis_tready(m_axis_tready)
    );
  end

endmodule

`default_nettype wire
