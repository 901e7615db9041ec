# SPDX-License-Identifier: Apache-2.0
# @{generated}
create_clock -name aclk -period @{period_ns} [get_ports aclk]
@{second_clock}
