# SPDX-License-Identifier: Apache-2.0
"""What yosys makes of our kernels, and the cost formulas measured against it."""
