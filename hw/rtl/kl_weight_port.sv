// SPDX-License-Identifier: Apache-2.0
//
// AXI4-Lite port (32 bit) to all weight memories: head and tail of their chain (see
// kl_weight_stream).
//
// Its registers are in kl_registers_pkg and in docs/kernels/weight_port.md. DATA: a write gives the
// next slice to the memory, a read takes it from there. CHECKSUM: of all slices that a memory took
// or gave, rotate left by one and add. Other offsets read 0 and ignore writes. Every response is
// OKAY: errors show in STATUS.
//
// A write is taken every cycle. A read of DATA stops them until the slice is back: at most 16
// cycles before it goes, two a memory, and 4. `running` is STATUS bit 1, to hold the kernels in
// reset while their weights change.
`default_nettype none

module kl_weight_port
  import kl_pkg::*;
  import kl_registers_pkg::*;
#(
  parameter int unsigned MEMORIES = 1  // on the chain, 1..4096
) (
  input wire logic clk,
  input wire logic rst_n,

  input  wire logic [ 7:0] s_axil_awaddr,
  input  wire logic        s_axil_awvalid,
  output logic             s_axil_awready,
  input  wire logic [31:0] s_axil_wdata,
  input  wire logic [ 3:0] s_axil_wstrb,
  input  wire logic        s_axil_wvalid,
  output logic             s_axil_wready,
  output logic      [ 1:0] s_axil_bresp,
  output logic             s_axil_bvalid,
  input  wire logic        s_axil_bready,
  input  wire logic [ 7:0] s_axil_araddr,
  input  wire logic        s_axil_arvalid,
  output logic             s_axil_arready,
  output logic      [31:0] s_axil_rdata,
  output logic      [ 1:0] s_axil_rresp,
  output logic             s_axil_rvalid,
  input  wire logic        s_axil_rready,

  output chain_t      chain_out,  // to the first memory
  input  wire chain_t chain_in,   // from the last

  output logic running,
  output logic error     // STATUS bit 2
);

  if (MEMORIES < 1 || MEMORIES > MAX_MEMORIES) begin : g_illegal_memories
    $fatal(1, "kl_weight_port: MEMORIES=%0d is not in 1..4096", MEMORIES);
  end

  localparam logic [3:0] SETTLE = 4'd15;  // a READ follows a packet after SETTLE + 1 cycles

  // Registers
  logic run;
  logic [31:0] select, checksum;

  // Accesses
  logic write_valid, read_valid, read_answer;
  logic [5:0] write_address, read_address;
  logic [31:0] write_data, read_data;
  logic [3:0] write_strobe;
  logic take, store;  // a write; of a whole register
  logic reading;  // DATA: no write until the slice is back

  kl_axil_slave #(
    .ADDRESS_WIDTH(8)
  ) u_slave (
    .clk           (clk),
    .rst_n         (rst_n),
    .s_axil_awaddr (s_axil_awaddr),
    .s_axil_awvalid(s_axil_awvalid),
    .s_axil_awready(s_axil_awready),
    .s_axil_wdata  (s_axil_wdata),
    .s_axil_wstrb  (s_axil_wstrb),
    .s_axil_wvalid (s_axil_wvalid),
    .s_axil_wready (s_axil_wready),
    .s_axil_bresp  (s_axil_bresp),
    .s_axil_bvalid (s_axil_bvalid),
    .s_axil_bready (s_axil_bready),
    .s_axil_araddr (s_axil_araddr),
    .s_axil_arvalid(s_axil_arvalid),
    .s_axil_arready(s_axil_arready),
    .s_axil_rdata  (s_axil_rdata),
    .s_axil_rresp  (s_axil_rresp),
    .s_axil_rvalid (s_axil_rvalid),
    .s_axil_rready (s_axil_rready),
    .write_valid   (write_valid),
    .write_address (write_address),
    .write_data    (write_data),
    .write_strobe  (write_strobe),
    .write_take    (take),
    .read_valid    (read_valid),
    .read_address  (read_address),
    .read_answer   (read_answer),
    .read_data     (read_data)
  );

  assign reading = read_valid && read_address == WEIGHT_DATA_AT[7:2];
  assign take    = write_valid && !reading;
  assign store   = take && &write_strobe;

  // Head and tail of the chain
  chain_t tail;
  logic send_valid, ask;
  chain_kind_e send_kind;
  logic asked;  // a READ is on the chain
  logic back;  // and has come to its end
  logic [3:0] settle;  // 0..SETTLE
  logic [13:0] packets;  // 0..2 * MEMORIES + 2, on the chain
  logic busy;

  assign ask  = reading && !asked && settle == '0;
  assign back = asked && tail.valid && tail.kind == CHAIN_READ;
  assign busy = packets != '0;

  always_comb begin
    send_valid = ask;
    send_kind  = CHAIN_READ;
    if (store && write_address == WEIGHT_ADDRESS_AT[7:2]) begin
      send_valid = 1'b1;
      send_kind  = CHAIN_SELECT;
    end
    if (store && write_address == WEIGHT_DATA_AT[7:2]) begin
      send_valid = 1'b1;
      send_kind  = CHAIN_WRITE;
    end
  end

  always_ff @(posedge clk) begin
    chain_out.run   <= run;
    chain_out.valid <= send_valid;
    chain_out.kind  <= send_kind;
    chain_out.taken <= 1'b0;
    chain_out.data  <= write_data;
    tail            <= chain_in;
    if (!rst_n) begin
      chain_out.run   <= 1'b0;
      chain_out.valid <= 1'b0;
      tail.run        <= 1'b0;
      tail.valid      <= 1'b0;
    end
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      settle  <= SETTLE;
      packets <= '0;
      running <= 1'b0;
      asked   <= 1'b0;
    end else begin
      settle  <= send_valid ? SETTLE : settle - 4'(settle != '0);
      packets <= packets + 14'(send_valid) - 14'(tail.valid);
      running <= run && tail.run;
      if (ask) asked <= 1'b1;
      if (back) asked <= 1'b0;
    end
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      run      <= 1'b0;
      error    <= 1'b0;
      select   <= '0;
      checksum <= '0;
    end else begin
      if (tail.valid && tail.taken && tail.kind != CHAIN_SELECT) begin
        checksum <= {checksum[30:0], checksum[31]} + tail.data;
      end
      if (store) begin
        case (write_address)
          WEIGHT_CONTROL_AT[7:2]:  run <= write_data[WEIGHT_CONTROL_RUN_BIT];
          WEIGHT_STATUS_AT[7:2]:   error <= error && !write_data[WEIGHT_STATUS_ERROR_BIT];
          WEIGHT_ADDRESS_AT[7:2]:  select <= write_data;
          WEIGHT_CHECKSUM_AT[7:2]: checksum <= '0;
          default:                 ;
        endcase
      end
      if ((tail.valid && !tail.taken) || (take && !store)) error <= 1'b1;
    end
  end

  // Values to read
  assign read_answer = reading ? back : read_valid;

  always_comb begin
    read_data = '0;
    case (read_address)
      WEIGHT_CONTROL_AT[7:2]:  read_data[WEIGHT_CONTROL_RUN_BIT] = run;
      WEIGHT_STATUS_AT[7:2]: begin
        read_data[WEIGHT_STATUS_BUSY_BIT]    = busy;
        read_data[WEIGHT_STATUS_RUNNING_BIT] = running;
        read_data[WEIGHT_STATUS_ERROR_BIT]   = error;
      end
      WEIGHT_ADDRESS_AT[7:2]:  read_data = select;
      WEIGHT_DATA_AT[7:2]:     read_data = tail.taken ? tail.data : '0;
      WEIGHT_CHECKSUM_AT[7:2]: read_data = checksum;
      WEIGHT_MEMORIES_AT[7:2]: read_data = 32'(MEMORIES);
      default:                 ;
    endcase
  end

`ifndef SYNTHESIS
  a_packets :
  assert property (@(posedge clk) disable iff (!rst_n) tail.valid |-> packets != '0)
  else $error("%m: a packet came back that was not sent");
  a_range :
  assert property (@(posedge clk) disable iff (!rst_n) packets <= 14'(2 * MEMORIES + 2))
  else $error("%m: %0d packets on a chain of %0d memories", packets, MEMORIES);
`endif

endmodule

`default_nettype wire
