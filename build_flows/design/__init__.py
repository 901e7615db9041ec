# SPDX-License-Identifier: Apache-2.0
"""From the graph to a simulated design: FIFO sizes, RTL, top level, Verilator."""
