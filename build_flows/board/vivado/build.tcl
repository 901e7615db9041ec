# SPDX-License-Identifier: Apache-2.0
# @{generated}
# From the sources to the bitstream; what is finished is kept when it is started again.
#   vivado -mode batch -source build.tcl
# The project is project/landmarks.xpr; vivado opens it with its windows.

source [file join [file dirname [file normalize [info script]]] helpers.tcl]
check_version
set jobs @{jobs}
set strategies {@{strategies}}
set first [lindex $strategies 0]

if {![file exists $here/ip/complete]} {
  source $here/package_ip.tcl
}
if {[file exists $here/project/complete]} {
  open_project $here/project/landmarks.xpr
} else {
  source $here/block_design.tcl
  foreach strategy [lrange $strategies 1 end] {
    create_run impl_$strategy -parent_run synth_1 -flow [get_property FLOW [get_runs impl_1]] -strategy $strategy
  }
  set_property strategy $first [get_runs impl_1]
  close [open $here/project/complete w]
}

# All strategies at the first clock. Then the lower ones of the list in turn, but for those that the
# least slack so far rules out, with the strategy that came nearest.
# What was tried is in project/tried, a list of clock, least period and strategy: a later start goes
# on from there.
set met 0
set period 0
set runs [concat synth_1 impl_1 [lmap strategy [lrange $strategies 1 end] {string cat impl_ $strategy}]]
if {[file exists $here/project/tried]} {
  lassign [read_list $here/project/tried] tried period strategies
  set clocks [lmap clk_mhz $clocks {expr {$clk_mhz < $tried ? $clk_mhz : [continue]}}]
}
foreach clk_mhz $clocks {
  if {1000.0 / $clk_mhz < $period} {
    continue
  }
  set_clock $clk_mhz $runs
  set best -1000
  finish synth_1 $jobs
  foreach strategy $strategies {
    set run [expr {$strategy eq $first ? "impl_1" : "impl_$strategy"}]
    finish $run $jobs
    open_run $run
    set pulse [get_property STATS.TPWS [get_runs $run]]
    set met [write_reports $here/reports $strategy $clk_mhz $pulse]
    if {$met} {
      break
    }
    set slack [least_slack]
    puts "$run: timing not met at $clk_mhz MHz, slack $slack ns, of pulse widths $pulse ns"
    if {$slack > $best} {
      set best $slack
      set nearest $strategy
    }
    close_design
  }
  if {$met} {
    break
  }
  set period [expr {1000.0 / $clk_mhz - $best}]
  set strategies $nearest
  write_list $here/project/tried [list $clk_mhz $period $nearest]
}
if {!$met} {
  fail "timing not met at any clock"
}

file mkdir $here/out
write_bitstream -force $here/out/landmarks.bit
set made $here/project/landmarks.gen/sources_1/bd/$board_design/hw_handoff/$board_design.hwh
file copy -force $made $here/out/landmarks.hwh
puts "landmarks: bitstream written"
