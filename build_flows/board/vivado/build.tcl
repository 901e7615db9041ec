# SPDX-License-Identifier: Apache-2.0
# @{generated}
# From the sources to the bitstream; what is finished is kept when it is started again.
#   vivado -mode batch -source build.tcl
# The project is project/landmarks.xpr; vivado opens it with its windows.

source [file join [file dirname [file normalize [info script]]] helpers.tcl]
check_version
set jobs @{jobs}
set strategies {@{strategies}}

if {![file exists $here/ip/component.xml]} {
  source $here/package_ip.tcl
}
if {[file exists $here/project/complete]} {
  open_project $here/project/landmarks.xpr
} else {
  source $here/block_design.tcl
  foreach strategy [lrange $strategies 1 end] {
    create_run impl_$strategy -parent_run synth_1 -flow [get_property FLOW [get_runs impl_1]] -strategy $strategy
  }
  set_property strategy [lindex $strategies 0] [get_runs impl_1]
  close [open $here/project/complete w]
}

finish synth_1 $jobs

set met 0
foreach strategy $strategies {
  set run [expr {$strategy eq [lindex $strategies 0] ? "impl_1" : "impl_$strategy"}]
  finish $run $jobs
  open_run $run
  set met [write_reports $here/reports $strategy]
  if {$met} {
    break
  }
  puts "$run: timing not met"
  close_design
}
if {!$met} {
  fail "timing not met with any strategy"
}

file mkdir $here/out
write_bitstream -force $here/out/landmarks.bit
file copy -force $here/project/landmarks.gen/sources_1/bd/landmarks/hw_handoff/landmarks.hwh $here/out/landmarks.hwh
puts "landmarks: bitstream written"
