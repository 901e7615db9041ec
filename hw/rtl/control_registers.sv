// SPDX-License-Identifier: Apache-2.0
//
// AXI4-Lite registers (32 bit) of an accelerator behind a frame_gate, and the way to its
// weight_port.
//
// Byte offset and register:
//   0x00 MAGIC         read only, "LMKS"
//   0x04 VERSION       of this map, read only
//   0x08 CONFIG_HASH   read only
//   0x0C CONTROL       bit 0, written 1: soft reset of gate, accelerator and counters
//   0x10 STATUS        bit 0 resetting, bit 1 busy: frames are inside
//   0x14 ERRORS        bit 0 short frame, 1 long frame, 2 underrun: stay until a 1 is written;
//                      bit 3 weights: the error bit of weight_port, cleared there
//   0x18 IRQ_ENABLE    bit 0 a frame went out, bit 1 an error
//   0x1C IRQ_STATUS    the same bits, stay until a 1 is written
//   0x20 FRAMES_IN     frames that went in, good or not
//   0x24 FRAMES_OUT    frames whose last word was taken
//   0x28 FRAMES_DROPPED
//   0x2C FRAME_CYCLES  between the last words of the last two frames that came out
//   0x40 CYCLES        since reset; two registers, low and high. A read of CYCLES low freezes the
//                      high part and all below, so that they belong to one moment
//   0x48 BUSY_CYCLES   with frames inside
//   0x50 FULL_CYCLES   a word waited to go into the accelerator
//   0x58 EMPTY_CYCLES  the accelerator could take a word and there was none
//   0x60 BLOCKED_CYCLES  a word waited to go out
//   0x100..0x1FF       weight_port
// Other offsets read 0 and ignore writes. A write of part of a register is ignored. Every response
// is OKAY. One access at a time; those to weight_port wait for the end of a soft reset.
`default_nettype none

module control_registers #(
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

  localparam bit [31:0] MAGIC = 32'h4C4D_4B53, VERSION = 32'd1;
  localparam bit [4:0]  RESET_CYCLES = 5'd31;
  localparam int unsigned TOTALS = 5;  // counters of 64 bits

  // Registers, as indices of words
  localparam bit [9:0] CONTROL = 10'h003, ERRORS = 10'h005, IRQ_ENABLE = 10'h006,
                       IRQ_STATUS = 10'h007, CYCLES = 10'h010;

  typedef enum logic [2:0] {IDLE, STORE, PORT_WRITE, LOOK, PORT_READ, ANSWER} state_e;

  state_e      state;
  logic [9:0]  index;       // of the access
  logic [4:0]  reset_left;  // 0..RESET_CYCLES
  logic [2:0]  errors;
  logic [1:0]  irq_enable, irq_status;
  logic [31:0] value;

  wire logic resetting = reset_left != '0;
  wire logic at_port   = index[9:6] == 4'h1;
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
  wire logic soft_reset = store && index == CONTROL && m_axil_wdata[0];

  always_ff @(posedge clk) begin
    reset_left <= resetting ? reset_left - 1'b1 : '0;
    core_rst_n <= !resetting;
    errors     <= (errors & ~((store && index == ERRORS) ? m_axil_wdata[2:0] : 3'b000))
                  | {underrun, long_frame, short_frame};
    irq_status <= (irq_status & ~((store && index == IRQ_STATUS) ? m_axil_wdata[1:0] : 2'b00))
                  | {underrun || long_frame || short_frame || weights_error, frame_out};
    if (store && index == IRQ_ENABLE) irq_enable <= m_axil_wdata[1:0];
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

  always_ff @(posedge clk) if (state == LOOK && index == CYCLES) frozen <= totals;

  // Values to read
  always_comb begin
    value = '0;
    for (int i = 0; i < TOTALS; i++) begin
      if (index == CYCLES + 10'(2 * i)) value = i == 0 ? totals[0][31:0] : frozen[i][31:0];
      if (index == CYCLES + 10'(2 * i + 1)) value = frozen[i][63:32];
    end
    case (index)
      10'h000:    value = MAGIC;
      10'h001:    value = VERSION;
      10'h002:    value = CONFIG_HASH;
      10'h004:    value = {30'd0, busy, resetting};
      ERRORS:     value = {28'd0, weights_error, errors};
      IRQ_ENABLE: value = 32'(irq_enable);
      IRQ_STATUS: value = 32'(irq_status);
      10'h008:    value = frames_in;
      10'h009:    value = frames_out;
      10'h00A:    value = frames_dropped;
      10'h00B:    value = frame_cycles;
      default:    ;
    endcase
  end

  wire unused = &{1'b0, s_axil_awaddr[1:0], s_axil_araddr[1:0]};

endmodule

`default_nettype wire
