// SPDX-License-Identifier: Apache-2.0
//
// AXI4-Lite port (32 bit) to all weight memories: head and tail of their chain (see weight_stream).
//
// Its registers are in registers_pkg and in docs/kernels/weight_port.md. DATA: a write gives the
// next slice to the memory, a read takes it from there. CHECKSUM: of all slices that a memory took
// or gave, rotate left by one and add. Other offsets read 0 and ignore writes. Every response is
// OKAY: errors show in STATUS.
//
// A write is taken every cycle. A read of DATA stops them until the slice is back: at most 16
// cycles before it goes, one a hop, and 4. `running` is STATUS bit 1, to hold the kernels in
// reset while their weights change.
`default_nettype none

module weight_port
  import registers_pkg::*;
#(
  parameter int unsigned MEMORIES = 1  // on the chain, 1..4096
) (
  input  wire logic        clk,
  input  wire logic        rst_n,

  input  wire logic [7:0]  s_axil_awaddr,
  input  wire logic        s_axil_awvalid,
  output logic             s_axil_awready,
  input  wire logic [31:0] s_axil_wdata,
  input  wire logic [3:0]  s_axil_wstrb,
  input  wire logic        s_axil_wvalid,
  output logic             s_axil_wready,
  output logic [1:0]       s_axil_bresp,
  output logic             s_axil_bvalid,
  input  wire logic        s_axil_bready,
  input  wire logic [7:0]  s_axil_araddr,
  input  wire logic        s_axil_arvalid,
  output logic             s_axil_arready,
  output logic [31:0]      s_axil_rdata,
  output logic [1:0]       s_axil_rresp,
  output logic             s_axil_rvalid,
  input  wire logic        s_axil_rready,

  output logic [36:0]      chain_out,  // to the first memory
  input  wire logic [36:0] chain_in,   // from the last

  output logic             running,
  output logic             error       // STATUS bit 2
);

  if (MEMORIES < 1 || MEMORIES > MAX_MEMORIES) begin : g_illegal_memories
    $fatal(1, "weight_port: MEMORIES=%0d is not in 1..4096", MEMORIES);
  end

  localparam bit [1:0] SELECT = 2'd0, WRITE = 2'd1, READ = 2'd2;
  localparam bit [3:0] SETTLE = 4'd15;  // a READ follows a packet after SETTLE + 1 cycles

  // Registers
  logic        run;
  logic [31:0] select, checksum;

  // Writes: address and data wait for one another
  logic [7:0]  write_offset;
  logic [35:0] write_beat;
  logic        offset_valid, beat_valid, answer_ready;
  logic        accept, store;
  logic        reading;  // a read of DATA is on its way

  stream_fork #(.WIDTH(8), .COPIES(1)) u_write_offset (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata (s_axil_awaddr),
    .s_axis_tvalid(s_axil_awvalid),
    .s_axis_tready(s_axil_awready),
    .m_axis_tdata (write_offset),
    .m_axis_tvalid(offset_valid),
    .m_axis_tready(accept)
  );

  stream_fork #(.WIDTH(36), .COPIES(1)) u_write_beat (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata ({s_axil_wstrb, s_axil_wdata}),
    .s_axis_tvalid(s_axil_wvalid),
    .s_axis_tready(s_axil_wready),
    .m_axis_tdata (write_beat),
    .m_axis_tvalid(beat_valid),
    .m_axis_tready(accept)
  );

  stream_fork #(.WIDTH(2), .COPIES(1)) u_answer (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata (2'b00),
    .s_axis_tvalid(accept),
    .s_axis_tready(answer_ready),
    .m_axis_tdata (s_axil_bresp),
    .m_axis_tvalid(s_axil_bvalid),
    .m_axis_tready(s_axil_bready)
  );

  assign accept = offset_valid && beat_valid && answer_ready && !reading;
  assign store  = accept && &write_beat[35:32];

  // Reads: one at a time
  logic [5:0]  read_register;
  logic        looking;  // read_register is known
  logic        asked;    // a READ is on the chain
  logic        ask;
  logic [31:0] read_value;

  // Head and tail of the chain
  logic        send_valid, tail_run, tail_valid, tail_taken;
  logic [1:0]  send_kind, tail_kind;
  logic [31:0] send_data, tail_data;
  logic [3:0]  settle;   // 0..SETTLE
  logic [12:0] packets;  // 0..MEMORIES + 2, on the chain
  logic        busy;

  assign ask = reading && !asked && settle == '0;

  always_comb begin
    send_valid = ask;
    send_kind  = READ;
    send_data  = write_beat[31:0];
    if (store && write_offset[7:2] == WEIGHT_ADDRESS_AT[7:2]) begin
      send_valid = 1'b1;
      send_kind  = SELECT;
    end
    if (store && write_offset[7:2] == WEIGHT_DATA_AT[7:2]) begin
      send_valid = 1'b1;
      send_kind  = WRITE;
    end
  end

  always_ff @(posedge clk) begin
    chain_out <= {run, send_valid, send_kind, 1'b0, send_data};
    {tail_run, tail_valid, tail_kind, tail_taken, tail_data} <= chain_in;
    settle    <= send_valid ? SETTLE : settle - 4'(settle != '0);
    packets   <= packets + 13'(send_valid) - 13'(tail_valid);
    running   <= run && tail_run;
    if (!rst_n) begin
      chain_out[36:35] <= '0;
      tail_run         <= 1'b0;
      tail_valid       <= 1'b0;
      settle           <= SETTLE;
      packets          <= '0;
      running          <= 1'b0;
    end
  end
  assign busy = packets != '0;

  always_ff @(posedge clk) begin
    if (tail_valid && tail_taken && tail_kind != SELECT)
      checksum <= {checksum[30:0], checksum[31]} + tail_data;
    if (store) begin
      case (write_offset[7:2])
        WEIGHT_CONTROL_AT[7:2]:  run <= write_beat[WEIGHT_CONTROL_RUN_BIT];
        WEIGHT_STATUS_AT[7:2]:   error <= error && !write_beat[WEIGHT_STATUS_ERROR_BIT];
        WEIGHT_ADDRESS_AT[7:2]:  select <= write_beat[31:0];
        WEIGHT_CHECKSUM_AT[7:2]: checksum <= '0;
        default:                 ;
      endcase
    end
    if ((tail_valid && !tail_taken) || (accept && !store)) error <= 1'b1;
    if (!rst_n) begin
      run      <= 1'b0;
      error    <= 1'b0;
      select   <= '0;
      checksum <= '0;
    end
  end

  always_comb begin
    read_value = '0;
    case (read_register)
      WEIGHT_CONTROL_AT[7:2]:  read_value[WEIGHT_CONTROL_RUN_BIT] = run;
      WEIGHT_STATUS_AT[7:2]: begin
        read_value[WEIGHT_STATUS_BUSY_BIT]    = busy;
        read_value[WEIGHT_STATUS_RUNNING_BIT] = running;
        read_value[WEIGHT_STATUS_ERROR_BIT]   = error;
      end
      WEIGHT_ADDRESS_AT[7:2]:  read_value = select;
      WEIGHT_CHECKSUM_AT[7:2]: read_value = checksum;
      WEIGHT_MEMORIES_AT[7:2]: read_value = 32'(MEMORIES);
      default:                 ;
    endcase
  end

  assign s_axil_rresp = 2'b00;

  always_ff @(posedge clk) begin
    if (s_axil_arvalid && s_axil_arready) begin
      s_axil_arready <= 1'b0;
      read_register  <= s_axil_araddr[7:2];
      looking        <= 1'b1;
    end
    if (looking) begin
      looking       <= 1'b0;
      reading       <= read_register == WEIGHT_DATA_AT[7:2];
      s_axil_rvalid <= read_register != WEIGHT_DATA_AT[7:2];
      s_axil_rdata  <= read_value;
    end
    if (ask) asked <= 1'b1;
    if (asked && tail_valid && tail_kind == READ) begin
      asked         <= 1'b0;
      reading       <= 1'b0;
      s_axil_rvalid <= 1'b1;
      s_axil_rdata  <= tail_taken ? tail_data : '0;
    end
    if (s_axil_rvalid && s_axil_rready) begin
      s_axil_rvalid  <= 1'b0;
      s_axil_arready <= 1'b1;
    end
    if (!rst_n) begin
      s_axil_arready <= 1'b1;
      s_axil_rvalid  <= 1'b0;
      looking        <= 1'b0;
      reading        <= 1'b0;
      asked          <= 1'b0;
    end
  end

  wire unused = &{1'b0, write_offset[1:0], s_axil_araddr[1:0]};

`ifndef SYNTHESIS
  a_packets :
  assert property (@(posedge clk) disable iff (!rst_n) tail_valid |-> packets != '0)
  else $error("weight_port: a packet came back that was not sent");
`endif

endmodule

`default_nettype wire
