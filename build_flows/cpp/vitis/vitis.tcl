# SPDX-License-Identifier: Apache-2.0
# @{generated}
# From the C++ to an IP for Vivado: vitis_hls -f vitis.tcl. LANDMARKS_UNTIL is csim, csynth, cosim
# or export, the last step that is done.
open_project -reset @{project}
set_top @{top}
foreach file {@{sources}} { add_files -cflags "-std=c++17" $file }
foreach file {@{benches}} { add_files -tb -cflags "-std=c++17" $file }
open_solution -reset -flow_target vivado solution
set_part @{part}
create_clock -period @{period_ns} -name default
set until export
if {[info exists env(LANDMARKS_UNTIL)]} { set until $env(LANDMARKS_UNTIL) }
set step [lsearch {csim csynth cosim export} $until]
if {$step < 0} {
  puts "ERROR: LANDMARKS_UNTIL=$until is unknown; use csim, csynth, cosim or export"
  exit 1
}
csim_design
if {$step >= 1} { csynth_design }
if {$step >= 2} { cosim_design }
if {$step >= 3} { export_design -format ip_catalog -vendor @{vendor} -output @{top}.zip }
exit
