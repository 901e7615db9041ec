// SPDX-License-Identifier: Apache-2.0
//
// AXI4-Lite registers (32 bit) of an accelerator behind a frame_gate, and the way to its
// weight_port.
//
// Its registers are in registers_pkg and in docs/kernels/control_registers.md. A read of CYCLES low
// freezes its high half and all totals behind it, so that they belong to one moment. Other offsets
// read 0 and ignore writes. A write of part of a register is ignored. Every response is OKAY. One
// access at a time; those to weight_port wait for the end of a soft reset.
`default_nettype none

module control_registers
  import registers_pkg::*;
#(
  parameter bit [31:0] CONFIG_HASH = '0
) (
  input  wire logic        clk,
  input  wire logic        rst_n,

  input  wire logic [11:0] s_axil_awaddr,
  input  wire logic        s_axil_awvalid,
  output logic             s_axil_awready,
  input  wire logic [31:0] s_axil_wdata,
  input  wire logic [3:0]  s_axil_wstrb,
  input  wire logic        s_axil_wvalid,
  output logic             s_axil_wready,
  output logic [1:0]       s_axil_bresp,
  output logic             s_axil_bvalid,
  input  wire logic        s_axil_bready,
  input  wire logic [11:0] s_axil_araddr,
  input  wire logic        s_axil_arvalid,
  output logic             s_axil_arready,
  output logic [31:0]      s_axil_rdata,
  output logic [1:0]       s_axil_rresp,
  output logic             s_axil_rvalid,
  input  wire logic        s_axil_rready,

  output logic [7:0]       m_axil_awaddr,  // to weight_port
  output logic             m_axil_awvalid,
  input  wire logic        m_axil_awready,
  output logic [31:0]      m_axil_wdata,
  output logic [3:0]       m_axil_wstrb,
  output logic             m_axil_wvalid,
  input  wire logic        m_axil_wready,
  input  wire logic        m_axil_bvalid,
  output logic             m_axil_bready,
  output logic [7:0]       m_axil_araddr,
  output logic             m_axil_arvalid,
  input  wire logic        m_axil_arready,
  input  wire logic [31:0] m_axil_rdata,
  input  wire logic        m_axil_rvalid,
  output logic             m_axil_rready,

  input  wire logic        busy,           // of frame_gate, and its events
  input  wire logic        frame_in,
  input  wire logic        frame_out,
  input  wire logic        frame_drop,
  input  wire logic        short_frame,
  input  wire logic        long_frame,
  input  wire logic        underrun,
  input  wire logic        weights_error,  // of weight_port
  input  wire logic        full,           // a word waits to go into the accelerator
  input  wire logic        empty,          // the accelerator waits for a word
  input  wire logic        blocked,        // a word waits to go out

  output logic             core_rst_n,     // of gate and accelerator
  output logic             irq
);

  localparam bit [4:0]  RESET_CYCLES = 5'd31;
  localparam int unsigned TOTALS = 5;  // counters of 64 bits

  typedef enum logic [2:0] {IDLE, STORE, PORT_WRITE, LOOK, PORT_READ, ANSWER} state_e;

  state_e      state;
  logic [9:0]  index;       // of the access
  logic [4:0]  reset_left;  // 0..RESET_CYCLES
  logic [2:0]  errors;
  logic [1:0]  irq_enable, irq_status;
  logic [31:0] value;

  wire logic resetting = reset_left != '0;
  wire logic at_port   = index[9:6] == WEIGHT_PORT[11:8];
  wire logic store     = state == STORE && !at_port && &m_axil_wstrb;

  assign s_axil_bresp  = 2'b00;
  assign s_axil_rresp  = 2'b00;
  assign m_axil_awaddr = {index[5:0], 2'b00};
  assign m_axil_araddr = {index[5:0], 2'b00};
  assign m_axil_bready = 1'b1;
  assign m_axil_rready = 1'b1;

  // Accesses
  always_ff @(posedge clk) begin
    case (state)
      IDLE: begin
        if (s_axil_awvalid && s_axil_wvalid) begin
          {s_axil_awready, s_axil_wready} <= 2'b11;
          index        <= s_axil_awaddr[11:2];
          m_axil_wdata <= s_axil_wdata;
          m_axil_wstrb <= s_axil_wstrb;
          state        <= STORE;
        end else if (s_axil_arvalid) begin
          s_axil_arready <= 1'b1;
          index          <= s_axil_araddr[11:2];
          state          <= LOOK;
        end
      end
      STORE: begin
        {s_axil_awready, s_axil_wready} <= 2'b00;
        if (!at_port) begin
          s_axil_bvalid <= 1'b1;
          state         <= ANSWER;
        end else if (!resetting) begin
          {m_axil_awvalid, m_axil_wvalid} <= 2'b11;
          state <= PORT_WRITE;
        end
      end
      PORT_WRITE: begin
        if (m_axil_awready) m_axil_awvalid <= 1'b0;
        if (m_axil_wready) m_axil_wvalid <= 1'b0;
        if (m_axil_bvalid) begin
          s_axil_bvalid <= 1'b1;
          state         <= ANSWER;
        end
      end
      LOOK: begin
        s_axil_arready <= 1'b0;
        if (!at_port) begin
          s_axil_rdata  <= value;
          s_axil_rvalid <= 1'b1;
          state         <= ANSWER;
        end else if (!resetting) begin
          m_axil_arvalid <= 1'b1;
          state          <= PORT_READ;
        end
      end
      PORT_READ: begin
        if (m_axil_arready) m_axil_arvalid <= 1'b0;
        if (m_axil_rvalid) begin
          s_axil_rdata  <= m_axil_rdata;
          s_axil_rvalid <= 1'b1;
          state         <= ANSWER;
        end
      end
      default: begin  // ANSWER
        if (s_axil_bready) s_axil_bvalid <= 1'b0;
        if (s_axil_rready) s_axil_rvalid <= 1'b0;
        if ((s_axil_bvalid && s_axil_bready) || (s_axil_rvalid && s_axil_rready)) state <= IDLE;
      end
    endcase
    if (!rst_n) begin
      state          <= IDLE;
      s_axil_awready <= 1'b0;
      s_axil_wready  <= 1'b0;
      s_axil_arready <= 1'b0;
      s_axil_bvalid  <= 1'b0;
      s_axil_rvalid  <= 1'b0;
      m_axil_awvalid <= 1'b0;
      m_axil_wvalid  <= 1'b0;
      m_axil_arvalid <= 1'b0;
    end
  end

  // Reset, errors, interrupt
  wire logic soft_reset = store && index == CONTROL_AT[11:2] && m_axil_wdata[CONTROL_RESET_BIT];

  always_ff @(posedge clk) begin
    reset_left <= resetting ? reset_left - 1'b1 : '0;
    core_rst_n <= !resetting;
    errors     <= (errors & ~((store && index == ERRORS_AT[11:2]) ? m_axil_wdata[2:0] : 3'b000))
                  | {underrun, long_frame, short_frame};
    irq_status <= (irq_status
                   & ~((store && index == IRQ_STATUS_AT[11:2]) ? m_axil_wdata[1:0] : 2'b00))
                  | {underrun || long_frame || short_frame || weights_error, frame_out};
    if (store && index == IRQ_ENABLE_AT[11:2]) irq_enable <= m_axil_wdata[1:0];
    irq        <= (irq_status & irq_enable) != '0;
    if (soft_reset) reset_left <= RESET_CYCLES;
    if (resetting) begin
      errors     <= '0;
      irq_status <= '0;
    end
    if (!rst_n) begin
      reset_left <= RESET_CYCLES;
      core_rst_n <= 1'b0;
      errors     <= '0;
      irq_enable <= '0;
      irq_status <= '0;
      irq        <= 1'b0;
    end
  end

  // Counters
  logic [31:0]              frames_in, frames_out, frames_dropped;
  logic [31:0]              frame_cycles, distance;  // distance: since the last frame came out
  logic                     ended;                   // a frame has come out
  logic [TOTALS-1:0][63:0]  totals;
  logic [TOTALS-1:0][63:0]  frozen;

  wire logic [TOTALS-1:0] counted = {blocked, empty, full, busy, 1'b1};

  always_ff @(posedge clk) begin
    frames_in      <= frames_in + 32'(frame_in);
    frames_out     <= frames_out + 32'(frame_out);
    frames_dropped <= frames_dropped + 32'(frame_drop);
    distance       <= frame_out ? 32'd1 : distance + 1'b1;
    if (frame_out) ended <= 1'b1;
    if (frame_out && ended) frame_cycles <= distance;
    for (int i = 0; i < TOTALS; i++) totals[i] <= totals[i] + 64'(counted[i]);
    if (!rst_n || resetting) begin
      frames_in      <= '0;
      frames_out     <= '0;
      frames_dropped <= '0;
      frame_cycles   <= '0;
      ended          <= 1'b0;
      totals         <= '0;
    end
  end

  always_ff @(posedge clk) if (state == LOOK && index == CYCLES_AT[11:2]) frozen <= totals;

  // Values to read
  always_comb begin
    value = '0;
    for (int i = 0; i < TOTALS; i++) begin
      if (index == CYCLES_AT[11:2] + 10'(2 * i)) value = i == 0 ? totals[0][31:0] : frozen[i][31:0];
      if (index == CYCLES_AT[11:2] + 10'(2 * i + 1)) value = frozen[i][63:32];
    end
    case (index)
      MAGIC_AT[11:2]:           value = MAGIC;
      VERSION_AT[11:2]:         value = VERSION;
      CONFIG_HASH_AT[11:2]:     value = CONFIG_HASH;
      STATUS_AT[11:2]:          value = {30'd0, busy, resetting};
      ERRORS_AT[11:2]:          value = {28'd0, weights_error, errors};
      IRQ_ENABLE_AT[11:2]:      value = 32'(irq_enable);
      IRQ_STATUS_AT[11:2]:      value = 32'(irq_status);
      FRAMES_IN_AT[11:2]:       value = frames_in;
      FRAMES_OUT_AT[11:2]:      value = frames_out;
      FRAMES_DROPPED_AT[11:2]:  value = frames_dropped;
      FRAME_CYCLES_AT[11:2]:    value = frame_cycles;
      default:                  ;
    endcase
  end

  wire unused = &{1'b0, s_axil_awaddr[1:0], s_axil_araddr[1:0]};

endmodule

`default_nettype wire
