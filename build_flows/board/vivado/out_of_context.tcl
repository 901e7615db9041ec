# SPDX-License-Identifier: Apache-2.0
# @{generated}
# Synthesis of the accelerator and its shell alone: resources and timing before placement.
#   vivado -mode batch -source out_of_context.tcl

source [file join [file dirname [file normalize [info script]]] helpers.tcl]
check_version
create_project -in_memory -part $part
source $here/limit.tcl
set sources [located_sources $here/rtl $here/out_of_context/src]
foreach path $sources {
  if {[file extension $path] eq ".sv"} {
    read_verilog -sv $path
  } else {
    read_verilog $path
  }
}
read_xdc -mode out_of_context $here/out_of_context.xdc
synth_design -top @{top} -part $part -mode out_of_context
write_checkpoint -force $here/out_of_context/landmarks.dcp
# Pulse widths are known after the implementation only.
if {![write_reports $here/out_of_context "synthesis out of context" [lindex $clocks 0] 0]} {
  puts "CRITICAL WARNING: \[landmarks\] timing is not met before placement"
}
