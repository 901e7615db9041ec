# SPDX-License-Identifier: Apache-2.0
"""Formal proofs of modules of hw/rtl, by yosys and z3: ``python -m hw.formal``."""
