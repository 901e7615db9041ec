# SPDX-License-Identifier: Apache-2.0
# @{generated}
# The clock comes from the clocking wizard with its own constraint; no pin of the fabric is used.
set_property BITSTREAM.GENERAL.COMPRESS TRUE [current_design]
