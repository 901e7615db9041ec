# SPDX-License-Identifier: Apache-2.0
"""Shell, overlay folder and bitstream scripts."""
