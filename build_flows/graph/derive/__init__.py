# SPDX-License-Identifier: Apache-2.0
"""From a QONNX file to a graph of integers, in one walk along the data.

Every tensor of the file is followed as integers with a scale and an offset in float64. Where a
quantiser stands they become the integers of a requantisation; everything between two quantisers is
exact. A node for which there is no way is refused in one line. ``walk`` holds what all operators
need, each family has a module, and ``handlers`` the table of them.
"""
