# SPDX-License-Identifier: Apache-2.0
# Recording stand-in for the commands of Vivado that the scripts use. A command, option, cell, pin,
# property or file that is not known here is an error, so this is a lint and no more than that.
#
# Given before: version, boards, top_buses, top_pins, progress (run -> PROGRESS at the start),
# slacks (of the timing reports in turn), pulse (slack of pulse widths), failing (a run that does not end well), form (how that is
# told: status, or error of wait_on_run, the cause in the log of the run of an IP), broken (a command
# that ends in an error), record (file).

array set progress_of $progress
set cells {}
array set ip_of {}
set opened ""
set records [open $record w]

# command -> options with a value, options without, least and most other arguments
array set commands {
  add_files {{-fileset} {-norecurse} 1 1}
  apply_bd_automation {{-rule -config} {} 1 1}
  assign_bd_address {{-offset -range -target_address_space} {-force} 1 1}
  close_design {{} {} 0 0}
  close_project {{} {} 0 0}
  connect_bd_intf_net {{} {} 2 2}
  connect_bd_net {{} {} 2 2}
  create_bd_cell {{-type -vlnv} {} 1 1}
  create_bd_design {{} {} 1 1}
  create_project {{-part} {-force -in_memory} 0 2}
  exclude_bd_addr_seg {{-target_address_space} {} 1 1}
  generate_target {{} {} 2 2}
  open_bd_design {{} {} 1 1}
  set_msg_config {{-id -new_severity} {} 0 0}
  set_param {{} {} 2 2}
  create_run {{-parent_run -flow -strategy} {} 1 1}
  get_bd_addr_segs {{} {-quiet} 1 1}
  get_bd_addr_spaces {{} {} 1 1}
  get_bd_cells {{} {} 1 1}
  get_bd_intf_pins {{} {} 1 1}
  get_bd_pins {{} {} 1 1}
  get_board_parts {{} {-quiet} 1 1}
  get_files {{} {} 1 1}
  get_filesets {{} {} 1 1}
  get_property {{} {} 2 2}
  get_runs {{} {} 1 1}
  get_timing_paths {{-max_paths} {-setup -hold} 0 0}
  current_project {{} {} 0 0}
  ipx::associate_bus_interfaces {{-busif -clock} {} 1 1}
  ipx::check_integrity {{} {} 1 1}
  ipx::create_xgui_files {{} {} 1 1}
  ipx::current_core {{} {} 0 0}
  ipx::get_bus_interfaces {{-of_objects} {} 1 1}
  ipx::package_project {{-root_dir -vendor -library -taxonomy} {-force} 0 0}
  ipx::save_core {{} {} 1 1}
  ipx::update_checksums {{} {} 1 1}
  launch_runs {{-jobs} {} 1 1}
  make_wrapper {{-files} {-top} 0 0}
  open_project {{} {} 1 1}
  open_run {{} {} 1 1}
  read_verilog {{} {-sv} 1 1}
  read_xdc {{-mode} {} 1 1}
  report_power {{-file} {} 0 0}
  report_timing_summary {{-max_paths -file} {} 0 0}
  report_utilization {{-hierarchical_depth -file} {-hierarchical} 0 0}
  reset_run {{} {} 1 1}
  save_bd_design {{} {} 0 0}
  set_property {{-dict} {} 1 3}
  synth_design {{-top -part -mode} {} 0 0}
  update_compile_order {{-fileset} {} 0 0}
  update_ip_catalog {{} {} 0 0}
  validate_bd_design {{} {} 0 0}
  version {{} {-short} 0 0}
  wait_on_run {{} {} 1 1}
  write_bitstream {{} {-force} 1 1}
  write_checkpoint {{} {-force} 1 1}
}

# IP -> its bus interfaces, its pins, its properties (patterns)
array set ips [list \
  xilinx.com:ip:zynq_ultra_ps_e {{M_AXI_HPM0_FPD S_AXI_HP0_FPD} {
      maxihpm0_fpd_aclk saxihp0_fpd_aclk pl_clk0 pl_resetn0} {
      PSU__FPGA_PL0_ENABLE PSU__CRL_APB__PL0_REF_CTRL__SRCSEL
      PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ PSU__USE__M_AXI_GP[012]
      PSU__USE__S_AXI_GP2 PSU__USE__IRQ0}} \
  xilinx.com:ip:clk_wiz {{} {clk_in1 clk_out1 clk_out2 resetn locked} {
      PRIM_IN_FREQ.VALUE_SRC PRIM_SOURCE PRIMITIVE CLKOUT1_REQUESTED_OUT_FREQ USE_LOCKED
      CLKOUT2_USED CLKOUT2_REQUESTED_OUT_FREQ CLKOUT[12]_MATCHED_ROUTING
      USE_RESET RESET_TYPE RESET_PORT}} \
  xilinx.com:ip:proc_sys_reset {{} {
      slowest_sync_clk ext_reset_in dcm_locked peripheral_aresetn} {}} \
  xilinx.com:ip:smartconnect {{S0[01]_AXI M0[01]_AXI} {aclk aresetn} {NUM_SI NUM_MI}} \
  xilinx.com:ip:axi_dma {{M_AXIS_MM2S S_AXIS_S2MM S_AXI_LITE M_AXI_MM2S M_AXI_S2MM} {
      s_axi_lite_aclk m_axi_mm2s_aclk m_axi_s2mm_aclk axi_resetn mm2s_introut s2mm_introut} {
      c_include_sg c_sg_include_stscntrl_strm c_sg_length_width c_addr_width c_include_mm2s
      c_include_s2mm c_m_axi_mm2s_data_width c_m_axis_mm2s_tdata_width c_mm2s_burst_size
      c_m_axi_s2mm_data_width c_s_axis_s2mm_tdata_width c_s2mm_burst_size}} \
  kria-landmarks:user:landmarks [list $top_buses $top_pins {}]]

set properties {
  board_part ip_repo_paths name version display_name supported_families top strategy
  synth_checkpoint_mode STEPS.SYNTH_DESIGN.TCL.PRE
}

# Checks the arguments of a command and records it; gives options and the others as two lists.
proc checked {command arguments} {
  lassign $::commands($command) with without least most
  set options {}
  set others {}
  for {set i 0} {$i < [llength $arguments]} {incr i} {
    set word [lindex $arguments $i]
    if {$word in $with} {
      incr i
      if {$i == [llength $arguments]} {error "$command: $word lacks its value"}
      lappend options $word [lindex $arguments $i]
    } elseif {$word in $without} {
      lappend options $word 1
    } elseif {[regexp {^-[a-z]} $word]} {
      error "$command has no option $word"
    } else {
      lappend others $word
    }
  }
  if {[llength $others] < $least || [llength $others] > $most} {
    error "$command takes $least to $most arguments, not '$others'"
  }
  puts $::records [list $command $options $others]
  return [list $options $others]
}

proc need_file {path} {
  if {![file isfile $path]} {error "no file $path"}
}

# What commands give or do beyond being recorded.
namespace eval ipx {}
namespace eval do_ipx {}
proc do_add_files {options others} {foreach path [lindex $others 0] {need_file $path}}
proc do_read_verilog {options others} {need_file [lindex $others 0]}
proc do_read_xdc {options others} {need_file [lindex $others 0]}
proc do_version {options others} {return $::version}
proc do_get_board_parts {options others} {return $::boards}
proc do_current_project {options others} {return project}
proc do_ipx::current_core {options others} {return core}
proc do_ipx::get_bus_interfaces {options others} {
  set bus [lindex $others 0]
  return [expr {$bus in $::top_buses ? $bus : ""}]
}
proc do_ipx::package_project {options others} {
  close [open [dict get $options -root_dir]/component.xml w]
}
proc do_ipx::save_core {options others} {need_file $::here/ip/component.xml}
proc do_get_filesets {options others} {return [lindex $others 0]}
proc do_get_files {options others} {
  set name [lindex $others 0]
  if {[info exists ::board_design_made] && $name ne "$::board_design_made.bd"} {error "no file $name"}
  return $name
}
# A block design is a module of its name, and so is the top of an IP.
proc do_create_bd_design {options others} {
  set name [lindex $others 0]
  foreach vlnv [array names ::ips] {
    if {[lindex [split $vlnv :] 2] eq $name} {error "a module $name is there already, of the IP $vlnv"}
  }
  set ::board_design_made $name
}
proc do_get_bd_addr_spaces {options others} {return [lindex $others 0]}
proc do_get_bd_addr_segs {options others} {return [lindex $others 0]}
proc do_create_project {options others} {
  if {[llength $others] == 2} {
    file mkdir [lindex $others 1]
    close [open [file join {*}[lreverse $others]].xpr w]
  }
}
proc do_open_project {options others} {need_file [lindex $others 0]}
proc do_create_bd_cell {options others} {
  set vlnv [dict get $options -vlnv]
  if {![info exists ::ips($vlnv)]} {error "no IP $vlnv"}
  set ::ip_of([lindex $others 0]) $vlnv
}
proc do_get_bd_cells {options others} {
  if {![info exists ::ip_of([lindex $others 0])]} {error "no cell $others"}
  return [lindex $others 0]
}
proc member {others index what} {
  lassign [split [lindex $others 0] /] cell name
  if {![info exists ::ip_of($cell)]} {error "no cell $cell"}
  foreach pattern [lindex $::ips($::ip_of($cell)) $index] {
    if {[string match $pattern $name]} {return [lindex $others 0]}
  }
  error "$cell ($::ip_of($cell)) has no $what $name"
}
proc do_get_bd_intf_pins {options others} {member $others 0 bus}
proc do_get_bd_pins {options others} {member $others 1 pin}
proc do_set_property {options others} {
  set target [lindex $others end]
  set pairs [expr {[dict exists $options -dict] ? [dict get $options -dict] : [lrange $others 0 1]}]
  foreach {name value} $pairs {
    if {[string match CONFIG.* $name]} {
      set known [lindex $::ips($::ip_of($target)) 2]
      set name [string range $name 7 end]
      set ::config_of($target/$name) $value
    } else {
      set known $::properties
    }
    set matches 0
    foreach pattern $known {incr matches [string match $pattern $name]}
    if {!$matches} {error "$target has no property $name"}
  }
}
proc do_make_wrapper {options others} {
  set path $::here/project/[file rootname [dict get $options -files]]_wrapper.v
  close [open $path w]
  return $path
}
proc do_create_run {options others} {set ::progress_of([lindex $others 0]) 0%}
proc do_get_runs {options others} {
  if {![info exists ::progress_of([lindex $others 0])]} {error "no run $others"}
  return [lindex $others 0]
}
proc do_reset_run {options others} {set ::progress_of([lindex $others 0]) 0%}
proc do_launch_runs {options others} {
  set run [lindex $others 0]
  if {$::progress_of($run) ne "0%"} {error "$run is not reset"}
  set ::progress_of($run) [expr {$run in $::failing ? "40%" : "100%"}]
}
proc write_log {run text} {
  set folder $::here/project/landmarks.runs/$run
  file mkdir $folder
  set out [open $folder/runme.log w]
  puts $out $text
  close $out
}
proc do_wait_on_run {options others} {
  set run [lindex $others 0]
  if {$run ni $::failing} {return}
  if {$::form eq "error"} {
    write_log $run "ERROR: \[Common 17-69\] Command failed: Run failed"
    write_log system_landmarks_0_0_synth_1 "ERROR: \[Synth 8-4556\] size of variable 'words' is too large"
    error "wait_on_run: [set run] failed"
  }
  write_log $run "ERROR: \[Synth 8-1031\] nothing is not declared \[accelerator.sv:7\]"
}
proc do_generate_target {options others} {need_project}
proc do_open_bd_design {options others} {
  need_project
  if {![info exists ::ip_of(clock)]} {
    set ::ip_of(clock) xilinx.com:ip:clk_wiz
    set ::config_of(clock/CLKOUT1_REQUESTED_OUT_FREQ) $::kept_clock
  }
}
proc need_project {} {need_file $::here/project/landmarks.xpr}
proc do_open_run {options others} {
  if {$::opened ne ""} {error "$::opened is open"}
  set ::opened [lindex $others 0]
  set ::slack [lindex $::slacks 0]
  set ::slacks [lrange $::slacks 1 end]
}
proc do_synth_design {options others} {do_open_run {} synthesised}
proc do_close_design {options others} {set ::opened ""}
proc do_get_timing_paths {options others} {
  if {$::opened eq ""} {error "no design is open"}
  return path
}
proc do_write_bitstream {options others} {
  if {$::opened eq ""} {error "no design is open"}
  close [open [lindex $others 0] w]
  set folder $::here/project/landmarks.gen/sources_1/bd/system/hw_handoff
  file mkdir $folder
  close [open $folder/system.hwh w]
}
proc do_get_property {options others} {
  lassign $others name object
  switch $name {
    CONFIG.CLKOUT1_REQUESTED_OUT_FREQ {return $::config_of($object/[string range $name 7 end])}
    PROGRESS {return $::progress_of($object)}
    NEEDS_REFRESH {return 0}
    STATS.TPWS {return $::pulse}
    STATUS {return "synth_design ERROR"}
    DIRECTORY {return $::here/project/$object}
    FLOW {return "Vivado Implementation"}
    SLACK {return $::slack}
    STARTPOINT_PIN {return core/first_reg/C}
    ENDPOINT_PIN {return core/last_reg/D}
  }
  error "no property $name"
}

foreach command [array names commands] {
  proc ::$command args [format {
    lassign [checked %1$s $args] options others
    if {"%1$s" eq $::broken} {error "ERROR: \[Common 17-69\] Command failed: %1$s"}
    if {[info commands ::do_%1$s] ne ""} {return [::do_%1$s $options $others]}
  } $command]
}

rename exit real_exit
proc exit {{code 0}} {
  puts $::records [list exit {} $code]
  close $::records
  real_exit $code
}
