# SPDX-License-Identifier: Apache-2.0
# @{generated}
# What the scripts of this folder share. Paths are relative to the folder; it can be moved before
# the first run.

set here [file dirname [file normalize [info script]]]
set part @{part}
set config @{config}
set clocks {@{clocks}}
set double_clock @{double_clock}
set file_order {@{sources}}
# The block design becomes a module of this name, and its wrapper one; the accelerator has none such.
set board_design system

# Ends the run with one line that the flow repeats.
proc fail {text} {
  puts "ERROR: \[landmarks\] $text"
  exit 1
}

proc check_version {} {
  set found [version -short]
  if {[package vcompare [regsub {[^0-9.].*} $found {}] @{oldest}] < 0} {
    fail "Vivado $found is too old; use @{oldest} or later"
  }
}

# Copies of the sources that name their memory files by absolute paths: synthesis of an IP does not
# run in the folder of its sources. In the order in which tools need them, packages first.
proc located_sources {from to} {
  global file_order
  file mkdir $to
  set files {}
  foreach name $file_order {
    set path [file join $from $name]
    set in [open $path]
    set text [read $in]
    close $in
    regsub -all {"([A-Za-z0-9_]+\.hex)"} $text "\"$from/\\1\"" text
    # A lookup has the beginning of the names of several files.
    regsub -all {(FILE *\()"([A-Za-z0-9_]+)"} $text "\\1\"$from/\\2\"" text
    set copy [file join $to $name]
    set out [open $copy w]
    puts -nonewline $out $text
    close $out
    lappend files $copy
  }
  return $files
}

# Whether a run has ended well and nothing it read has changed.
proc is_done {run} {
  return [expr {[get_property PROGRESS [get_runs $run]] eq "100%"
                && ![get_property NEEDS_REFRESH [get_runs $run]]}]
}

# Brings a run to its end, or keeps the result of an earlier start.
proc finish {run jobs} {
  if {[is_done $run]} {
    puts "$run: kept"
    return
  }
  if {[get_property PROGRESS [get_runs $run]] ne "0%"} {
    reset_run $run
  }
  launch_runs $run -jobs $jobs
  # It may end with an error of its own, for a failed run or one that this run needs.
  if {[catch {wait_on_run $run} message]} {
    puts "$run: $message"
  }
  if {[get_property PROGRESS [get_runs $run]] ne "100%"} {
    fail "$run ended with '[get_property STATUS [get_runs $run]]'; see [get_property DIRECTORY [get_runs $run]]/runme.log and those beside it"
  }
}

proc read_list {path} {
  set in [open $path]
  set words [string trim [read $in]]
  close $in
  return $words
}

proc write_list {path words} {
  set out [open $path w]
  puts $out $words
  close $out
}

# Sets the clock of the block design; all runs then begin anew.
proc set_clock {clk_mhz runs} {
  global double_clock board_design
  open_bd_design [get_files $board_design.bd]
  set cell [get_bd_cells clock]
  if {[get_property CONFIG.CLKOUT1_REQUESTED_OUT_FREQ $cell] == $clk_mhz} {
    return
  }
  if {$double_clock} {
    set_property -dict [list \
      CONFIG.CLKOUT1_REQUESTED_OUT_FREQ $clk_mhz \
      CONFIG.CLKOUT2_REQUESTED_OUT_FREQ [expr {2 * $clk_mhz}] \
    ] $cell
  } else {
    set_property CONFIG.CLKOUT1_REQUESTED_OUT_FREQ $clk_mhz $cell
  }
  validate_bd_design
  save_bd_design
  generate_target all [get_files $board_design.bd]
  foreach run $runs {
    if {[get_property PROGRESS [get_runs $run]] ne "0%"} {
      reset_run $run
    }
  }
}

# The lesser of the setup and the hold slack of the open design, in ns.
proc least_slack {} {
  set setup [get_property SLACK [lindex [get_timing_paths -setup -max_paths 1] 0]]
  set hold [get_property SLACK [lindex [get_timing_paths -hold -max_paths 1] 0]]
  return [expr {min($setup, $hold)}]
}

# Reports of the open design, and its worst path in result.txt: a name and a value a line. pulse is
# by how much clocks are too short for what they drive, in all, in ns: 0, or less. Whether all is met.
proc write_reports {folder strategy clk_mhz pulse} {
  file mkdir $folder
  report_utilization -file $folder/utilization.rpt
  report_utilization -hierarchical -hierarchical_depth 4 -file $folder/utilization_hierarchical.rpt
  report_timing_summary -max_paths 10 -file $folder/timing.rpt
  report_power -file $folder/power.rpt
  set setup [lindex [get_timing_paths -setup -max_paths 1] 0]
  set hold [lindex [get_timing_paths -hold -max_paths 1] 0]
  set out [open $folder/result.txt w]
  puts $out "strategy $strategy"
  puts $out "clk_mhz $clk_mhz"
  puts $out "vivado [version -short]"
  puts $out "setup_slack_ns [get_property SLACK $setup]"
  puts $out "hold_slack_ns [get_property SLACK $hold]"
  puts $out "pulse_width_slack_ns $pulse"
  puts $out "from [get_property STARTPOINT_PIN $setup]"
  puts $out "to [get_property ENDPOINT_PIN $setup]"
  close $out
  return [expr {[get_property SLACK $setup] >= 0 && [get_property SLACK $hold] >= 0 && $pulse >= 0}]
}
