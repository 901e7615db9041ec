# SPDX-License-Identifier: Apache-2.0
"""The accelerator as a device: on the board by PYNQ, or in simulation."""
