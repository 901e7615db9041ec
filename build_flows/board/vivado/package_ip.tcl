# SPDX-License-Identifier: Apache-2.0
# @{generated}
# Packages the accelerator with its shell as the IP landmarks in ip/.

source $here/limit.tcl
create_project -force packager $here/ip/project -part $part
set sources [located_sources $here/rtl $here/ip/src]
add_files -norecurse -fileset sources_1 $sources
set_property top @{top} [get_filesets sources_1]
update_compile_order -fileset sources_1
ipx::package_project -root_dir $here/ip -vendor @{vendor} -library user -taxonomy /UserIP -force
set core [ipx::current_core]
set_property name @{top} $core
set_property version 1.0 $core
set_property display_name "Face landmarks, $config" $core
set_property supported_families {zynquplus Production} $core
foreach bus {s_axil s_axis m_axis} {
  if {[ipx::get_bus_interfaces $bus -of_objects $core] eq ""} {
    fail "the packager finds no bus $bus at the ports of @{top}"
  }
  ipx::associate_bus_interfaces -busif $bus -clock aclk $core
}
ipx::create_xgui_files $core
ipx::update_checksums $core
ipx::check_integrity $core
ipx::save_core $core
close_project
# The packager writes ip/component.xml long before it is whole
close [open $here/ip/complete w]
