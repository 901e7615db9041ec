# SPDX-License-Identifier: Apache-2.0
"""Shell, overlay and bitstream."""
