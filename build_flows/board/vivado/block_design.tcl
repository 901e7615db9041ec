# SPDX-License-Identifier: Apache-2.0
# @{generated}
# The project of the board: processors, DMA engine, accelerator. One clock for all of the fabric,
# made by an MMCM from pl_clk0, which always has @{source_mhz} MHz; for an accelerator with the port
# aclk2x also one of twice the frequency, of the same phase.

create_project -force landmarks $here/project -part $part
set boards [lsort -dictionary [get_board_parts -quiet *:kv260_som:part0:*]]
if {[llength $boards] == 0} {
  fail "no board files of the KV260 SOM (xilinx.com:kv260_som); install them from the XHub store"
}
set_property board_part [lindex $boards end] [current_project]
set_property ip_repo_paths $here/ip [current_project]
update_ip_catalog

create_bd_design $board_design

create_bd_cell -type ip -vlnv xilinx.com:ip:zynq_ultra_ps_e ps
apply_bd_automation -rule xilinx.com:bd_rule:zynq_ultra_ps_e -config {apply_board_preset "1"} [get_bd_cells ps]
set_property -dict [list \
  CONFIG.PSU__FPGA_PL0_ENABLE {1} \
  CONFIG.PSU__CRL_APB__PL0_REF_CTRL__SRCSEL {IOPLL} \
  CONFIG.PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ {@{source_mhz}} \
  CONFIG.PSU__USE__M_AXI_GP0 {1} \
  CONFIG.PSU__USE__M_AXI_GP1 {0} \
  CONFIG.PSU__USE__M_AXI_GP2 {0} \
  CONFIG.PSU__USE__S_AXI_GP2 {1} \
  CONFIG.PSU__USE__IRQ0 {0} \
] [get_bd_cells ps]

create_bd_cell -type ip -vlnv xilinx.com:ip:clk_wiz clock
set_property -dict [list \
  CONFIG.PRIM_IN_FREQ.VALUE_SRC {PROPAGATED} \
  CONFIG.PRIM_SOURCE {No_buffer} \
  CONFIG.PRIMITIVE {MMCM} \
  CONFIG.CLKOUT1_REQUESTED_OUT_FREQ [lindex $clocks 0] \
  CONFIG.USE_LOCKED {true} \
  CONFIG.USE_RESET {true} \
  CONFIG.RESET_TYPE {ACTIVE_LOW} \
  CONFIG.RESET_PORT {resetn} \
] [get_bd_cells clock]
if {$double_clock} {
  set_property -dict [list \
    CONFIG.CLKOUT2_USED {true} \
    CONFIG.CLKOUT2_REQUESTED_OUT_FREQ [expr {2 * [lindex $clocks 0]}] \
    CONFIG.CLKOUT1_MATCHED_ROUTING {true} \
    CONFIG.CLKOUT2_MATCHED_ROUTING {true} \
  ] [get_bd_cells clock]
}
create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset reset
create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect registers
set_property -dict {CONFIG.NUM_SI 1 CONFIG.NUM_MI 2} [get_bd_cells registers]
create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect memory
set_property -dict {CONFIG.NUM_SI 2 CONFIG.NUM_MI 1} [get_bd_cells memory]
create_bd_cell -type ip -vlnv @{vendor}:user:@{top} landmarks_0

# One transfer at a time on each channel; a packet is a frame.
create_bd_cell -type ip -vlnv xilinx.com:ip:axi_dma axi_dma_0
set_property -dict [list \
  CONFIG.c_include_sg {0} \
  CONFIG.c_sg_include_stscntrl_strm {0} \
  CONFIG.c_sg_length_width {26} \
  CONFIG.c_addr_width {40} \
  CONFIG.c_include_mm2s {1} \
  CONFIG.c_include_s2mm {1} \
  CONFIG.c_m_axi_mm2s_data_width {@{mm2s_memory_bits}} \
  CONFIG.c_m_axis_mm2s_tdata_width {@{input_bits}} \
  CONFIG.c_mm2s_burst_size {16} \
  CONFIG.c_m_axi_s2mm_data_width {@{s2mm_memory_bits}} \
  CONFIG.c_s_axis_s2mm_tdata_width {@{output_bits}} \
  CONFIG.c_s2mm_burst_size {16} \
] [get_bd_cells axi_dma_0]

# Streams
connect_bd_intf_net [get_bd_intf_pins axi_dma_0/M_AXIS_MM2S] [get_bd_intf_pins landmarks_0/s_axis]
connect_bd_intf_net [get_bd_intf_pins landmarks_0/m_axis] [get_bd_intf_pins axi_dma_0/S_AXIS_S2MM]

# Registers
connect_bd_intf_net [get_bd_intf_pins ps/M_AXI_HPM0_FPD] [get_bd_intf_pins registers/S00_AXI]
connect_bd_intf_net [get_bd_intf_pins registers/M00_AXI] [get_bd_intf_pins axi_dma_0/S_AXI_LITE]
connect_bd_intf_net [get_bd_intf_pins registers/M01_AXI] [get_bd_intf_pins landmarks_0/s_axil]

# Memory
connect_bd_intf_net [get_bd_intf_pins axi_dma_0/M_AXI_MM2S] [get_bd_intf_pins memory/S00_AXI]
connect_bd_intf_net [get_bd_intf_pins axi_dma_0/M_AXI_S2MM] [get_bd_intf_pins memory/S01_AXI]
connect_bd_intf_net [get_bd_intf_pins memory/M00_AXI] [get_bd_intf_pins ps/S_AXI_HP0_FPD]

# Clock and resets. No interrupt is connected: the driver asks.
connect_bd_net [get_bd_pins ps/pl_clk0] [get_bd_pins clock/clk_in1]
connect_bd_net [get_bd_pins ps/pl_resetn0] [get_bd_pins clock/resetn]
connect_bd_net [get_bd_pins clock/locked] [get_bd_pins reset/dcm_locked]
foreach pin {
  ps/maxihpm0_fpd_aclk ps/saxihp0_fpd_aclk reset/slowest_sync_clk registers/aclk memory/aclk
  axi_dma_0/s_axi_lite_aclk axi_dma_0/m_axi_mm2s_aclk axi_dma_0/m_axi_s2mm_aclk landmarks_0/aclk
} {
  connect_bd_net [get_bd_pins clock/clk_out1] [get_bd_pins $pin]
}
if {$double_clock} {
  connect_bd_net [get_bd_pins clock/clk_out2] [get_bd_pins landmarks_0/aclk2x]
}
connect_bd_net [get_bd_pins ps/pl_resetn0] [get_bd_pins reset/ext_reset_in]
foreach pin {registers/aresetn memory/aresetn axi_dma_0/axi_resetn landmarks_0/aresetn} {
  connect_bd_net [get_bd_pins reset/peripheral_aresetn] [get_bd_pins $pin]
}

# Addresses
assign_bd_address -offset @{dma_offset} -range @{dma_size} -target_address_space [get_bd_addr_spaces ps/Data] [get_bd_addr_segs axi_dma_0/S_AXI_LITE/Reg] -force
assign_bd_address -offset @{accelerator_offset} -range @{accelerator_size} -target_address_space [get_bd_addr_spaces ps/Data] [get_bd_addr_segs landmarks_0/s_axil/reg0] -force
foreach space {axi_dma_0/Data_MM2S axi_dma_0/Data_S2MM} {
  assign_bd_address -target_address_space [get_bd_addr_spaces $space] [get_bd_addr_segs ps/SAXIGP2/HP0_DDR_*]
  foreach segment [get_bd_addr_segs -quiet {ps/SAXIGP2/HP0_QSPI ps/SAXIGP2/HP0_LPS_OCM}] {
    exclude_bd_addr_seg -target_address_space [get_bd_addr_spaces $space] $segment
  }
}

validate_bd_design
save_bd_design
# All in one synthesis: an IP synthesised alone would see no clock, for ours carries no constraints.
set_property synth_checkpoint_mode None [get_files $board_design.bd]
generate_target all [get_files $board_design.bd]
set wrapper [make_wrapper -files [get_files $board_design.bd] -top]
add_files -norecurse -fileset sources_1 $wrapper
set_property top ${board_design}_wrapper [get_filesets sources_1]
add_files -norecurse -fileset constrs_1 $here/constraints.xdc
update_compile_order -fileset sources_1
# Runs are processes of their own: what is set here does not reach them.
set_property STEPS.SYNTH_DESIGN.TCL.PRE $here/limit.tcl [get_runs synth_1]
