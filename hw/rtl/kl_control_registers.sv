// SPDX-License-Identifier: Apache-2.0
//
// AXI4-Lite registers (32 bit) of an accelerator behind a kl_frame_gate, and the way to its
// kl_weight_port.
//
// Its registers are in kl_registers_pkg and in docs/kernels/control_registers.md. A read of CYCLES
// low freezes its high half and all totals behind it, so that they belong to one moment. Other
// offsets read 0 and ignore writes. A write of part of a register is ignored. Every response is
// OKAY. One access at a time, writes first; those to kl_weight_port wait for the end of a soft
// reset.
`default_nettype none

module kl_control_registers
  import kl_registers_pkg::*;
#(
  parameter bit [31:0] CONFIG_HASH = '0
) (
  input wire logic clk,
  input wire logic rst_n,

  input  wire logic [11:0] s_axil_awaddr,
  input  wire logic        s_axil_awvalid,
  output logic             s_axil_awready,
  input  wire logic [31:0] s_axil_wdata,
  input  wire logic [ 3:0] s_axil_wstrb,
  input  wire logic        s_axil_wvalid,
  output logic             s_axil_wready,
  output logic      [ 1:0] s_axil_bresp,
  output logic             s_axil_bvalid,
  input  wire logic        s_axil_bready,
  input  wire logic [11:0] s_axil_araddr,
  input  wire logic        s_axil_arvalid,
  output logic             s_axil_arready,
  output logic      [31:0] s_axil_rdata,
  output logic      [ 1:0] s_axil_rresp,
  output logic             s_axil_rvalid,
  input  wire logic        s_axil_rready,

  output logic      [ 7:0] m_axil_awaddr,   // to weight_port
  output logic             m_axil_awvalid,
  input  wire logic        m_axil_awready,
  output logic      [31:0] m_axil_wdata,
  output logic      [ 3:0] m_axil_wstrb,
  output logic             m_axil_wvalid,
  input  wire logic        m_axil_wready,
  input  wire logic        m_axil_bvalid,
  output logic             m_axil_bready,
  output logic      [ 7:0] m_axil_araddr,
  output logic             m_axil_arvalid,
  input  wire logic        m_axil_arready,
  input  wire logic [31:0] m_axil_rdata,
  input  wire logic        m_axil_rvalid,
  output logic             m_axil_rready,

  input wire logic busy,           // of frame_gate, and its events
  input wire logic frame_in,
  input wire logic frame_out,
  input wire logic frame_drop,
  input wire logic short_frame,
  input wire logic long_frame,
  input wire logic underrun,
  input wire logic weights_error,  // of weight_port
  input wire logic full,           // a word waits to go into the accelerator
  input wire logic empty,          // the accelerator waits for a word
  input wire logic blocked,        // a word waits to go out

  output logic core_rst_n,  // of gate and accelerator
  output logic irq
);

  localparam logic [4:0] RESET_CYCLES = 5'd31;
  localparam int unsigned TOTALS = 5;  // counters of 64 bits

  typedef enum logic [2:0] {
    IDLE,
    STORE,
    PORT_WRITE,
    LOOK,
    PORT_READ
  } state_e;

  state_e state;
  logic [9:0] index;  // of the access
  logic [4:0] reset_left;  // 0..RESET_CYCLES
  logic [2:0] errors;
  logic [1:0] irq_enable, irq_status;
  logic [31:0] value;
  logic resetting, at_port, soft_reset;
  logic store;  // a write of a whole register

  // Accesses
  logic write_valid, write_take, read_valid, read_answer;
  logic [9:0] write_address, read_address;

  kl_axil_slave #(
    .ADDRESS_WIDTH(12)
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
    .write_data    (m_axil_wdata),
    .write_strobe  (m_axil_wstrb),
    .write_take    (write_take),
    .read_valid    (read_valid),
    .read_address  (read_address),
    .read_answer   (read_answer),
    .read_data     (at_port ? m_axil_rdata : value)
  );

  assign resetting     = reset_left != '0;
  assign at_port       = index[9:6] == WEIGHT_PORT[11:8];
  assign store         = state == STORE && !at_port && &m_axil_wstrb;

  assign write_take    = (state == STORE && !at_port) || (state == PORT_WRITE && m_axil_bvalid);
  assign read_answer   = (state == LOOK && !at_port) || (state == PORT_READ && m_axil_rvalid);

  assign m_axil_awaddr = {index[5:0], 2'b00};
  assign m_axil_araddr = {index[5:0], 2'b00};
  assign m_axil_bready = 1'b1;
  assign m_axil_rready = 1'b1;

  always_ff @(posedge clk) begin
    if (state == IDLE) index <= write_valid ? write_address : read_address;
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      state          <= IDLE;
      m_axil_awvalid <= 1'b0;
      m_axil_wvalid  <= 1'b0;
      m_axil_arvalid <= 1'b0;
    end else begin
      if (m_axil_awready) m_axil_awvalid <= 1'b0;
      if (m_axil_wready) m_axil_wvalid <= 1'b0;
      if (m_axil_arready) m_axil_arvalid <= 1'b0;
      case (state)
        IDLE: begin
          if (write_valid) state <= STORE;
          else if (read_valid) state <= LOOK;
        end
        STORE: begin
          if (at_port && !resetting) begin
            m_axil_awvalid <= 1'b1;
            m_axil_wvalid  <= 1'b1;
            state          <= PORT_WRITE;
          end
        end
        LOOK: begin
          if (at_port && !resetting) begin
            m_axil_arvalid <= 1'b1;
            state          <= PORT_READ;
          end
        end
        PORT_WRITE, PORT_READ: ;
        default: ;
      endcase
      if (write_take || read_answer) state <= IDLE;
    end
  end

  // Reset, errors, interrupt
  assign soft_reset = store && index == CONTROL_AT[11:2] && m_axil_wdata[CONTROL_RESET_BIT];

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      reset_left <= RESET_CYCLES;
      core_rst_n <= 1'b0;
      irq_enable <= '0;
      irq        <= 1'b0;
    end else begin
      if (soft_reset) reset_left <= RESET_CYCLES;
      else if (resetting) reset_left <= reset_left - 1'b1;
      core_rst_n <= !resetting;
      if (store && index == IRQ_ENABLE_AT[11:2]) irq_enable <= m_axil_wdata[1:0];
      irq <= (irq_status & irq_enable) != '0;
    end
  end

  always_ff @(posedge clk) begin
    if (!rst_n || resetting) begin
      errors     <= '0;
      irq_status <= '0;
    end else begin
      errors <= (errors & ~(store && index == ERRORS_AT[11:2] ? m_axil_wdata[2:0] : '0)) |
          {underrun, long_frame, short_frame};
      irq_status <= (irq_status &
                     ~(store && index == IRQ_STATUS_AT[11:2] ? m_axil_wdata[1:0] : '0)) |
          {underrun || long_frame || short_frame || weights_error, frame_out};
    end
  end

  // Counters
  logic [31:0] frames_in, frames_out, frames_dropped;
  logic [31:0] frame_cycles, distance;  // distance: since the last frame came out
  logic ended;  // a frame has come out
  logic [TOTALS-1:0][63:0] totals, frozen;
  logic [TOTALS-1:0] counted;

  assign counted = {blocked, empty, full, busy, 1'b1};

  always_ff @(posedge clk) begin
    if (!rst_n || resetting) begin
      frames_in      <= '0;
      frames_out     <= '0;
      frames_dropped <= '0;
      frame_cycles   <= '0;
      ended          <= 1'b0;
      totals         <= '0;
    end else begin
      frames_in      <= frames_in + 32'(frame_in);
      frames_out     <= frames_out + 32'(frame_out);
      frames_dropped <= frames_dropped + 32'(frame_drop);
      if (frame_out) ended <= 1'b1;
      if (frame_out && ended) frame_cycles <= distance;
      for (int unsigned i = 0; i < TOTALS; i++) totals[i] <= totals[i] + 64'(counted[i]);
    end
  end

  always_ff @(posedge clk) begin
    distance <= frame_out ? 32'd1 : distance + 1'b1;
    if (state == LOOK && index == CYCLES_AT[11:2]) frozen <= totals;
  end

  // Values to read
  always_comb begin
    value = '0;
    for (int unsigned i = 0; i < TOTALS; i++) begin
      if (index == CYCLES_AT[11:2] + 10'(2 * i)) value = i == 0 ? totals[0][31:0] : frozen[i][31:0];
      if (index == CYCLES_AT[11:2] + 10'(2 * i + 1)) value = frozen[i][63:32];
    end
    case (index)
      MAGIC_AT[11:2]:          value = MAGIC;
      VERSION_AT[11:2]:        value = VERSION;
      CONFIG_HASH_AT[11:2]:    value = CONFIG_HASH;
      STATUS_AT[11:2]:         value = {30'd0, busy, resetting};
      ERRORS_AT[11:2]:         value = {28'd0, weights_error, errors};
      IRQ_ENABLE_AT[11:2]:     value = 32'(irq_enable);
      IRQ_STATUS_AT[11:2]:     value = 32'(irq_status);
      FRAMES_IN_AT[11:2]:      value = frames_in;
      FRAMES_OUT_AT[11:2]:     value = frames_out;
      FRAMES_DROPPED_AT[11:2]: value = frames_dropped;
      FRAME_CYCLES_AT[11:2]:   value = frame_cycles;
      default:                 ;
    endcase
  end

`ifndef SYNTHESIS
  kl_stream_check #(
    .WIDTH(8)
  ) u_check_aw (
    .clk   (clk),
    .rst_n (rst_n),
    .tdata (m_axil_awaddr),
    .tvalid(m_axil_awvalid),
    .tready(m_axil_awready)
  );
  kl_stream_check #(
    .WIDTH(36)
  ) u_check_w (
    .clk   (clk),
    .rst_n (rst_n),
    .tdata ({m_axil_wstrb, m_axil_wdata}),
    .tvalid(m_axil_wvalid),
    .tready(m_axil_wready)
  );
  kl_stream_check #(
    .WIDTH(8)
  ) u_check_ar (
    .clk   (clk),
    .rst_n (rst_n),
    .tdata (m_axil_araddr),
    .tvalid(m_axil_arvalid),
    .tready(m_axil_arready)
  );
`endif

endmodule

`default_nettype wire
