# SPDX-License-Identifier: Apache-2.0
# @{generated}
# What the scripts of this folder share. Paths are relative to the folder; it can be moved before
# the first run.

set here [file dirname [file normalize [info script]]]
set part @{part}
set config @{config}
set clk_mhz @{clk_mhz}

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
# run in the folder of its sources.
proc located_sources {from to} {
  file mkdir $to
  set files {}
  foreach path [lsort [glob -directory $from *.sv *.v]] {
    set in [open $path]
    set text [read $in]
    close $in
    regsub -all {"([A-Za-z0-9_]+\.hex)"} $text "\"$from/\\1\"" text
    set copy [file join $to [file tail $path]]
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
  wait_on_run $run
  if {[get_property PROGRESS [get_runs $run]] ne "100%"} {
    fail "$run ended with '[get_property STATUS [get_runs $run]]'; see [get_property DIRECTORY [get_runs $run]]/runme.log"
  }
}

# Reports of the open design, and its worst path in result.txt: a name and a value a line.
proc write_reports {folder strategy} {
  file mkdir $folder
  report_utilization -file $folder/utilization.rpt
  report_utilization -hierarchical -hierarchical_depth 4 -file $folder/utilization_hierarchical.rpt
  report_timing_summary -max_paths 10 -file $folder/timing.rpt
  report_power -file $folder/power.rpt
  set setup [lindex [get_timing_paths -setup -max_paths 1] 0]
  set hold [lindex [get_timing_paths -hold -max_paths 1] 0]
  set out [open $folder/result.txt w]
  puts $out "strategy $strategy"
  puts $out "vivado [version -short]"
  puts $out "setup_slack_ns [get_property SLACK $setup]"
  puts $out "hold_slack_ns [get_property SLACK $hold]"
  puts $out "from [get_property STARTPOINT_PIN $setup]"
  puts $out "to [get_property ENDPOINT_PIN $setup]"
  close $out
  return [expr {[get_property SLACK $setup] >= 0 && [get_property SLACK $hold] >= 0}]
}
