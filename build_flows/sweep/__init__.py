# SPDX-License-Identifier: Apache-2.0
"""Grids of explorations, and of builds, on many processes or machines."""
