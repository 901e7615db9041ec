# SPDX-License-Identifier: Apache-2.0
"""Host side: what runs on the board or on a PC. Needs numpy and opencv only."""
