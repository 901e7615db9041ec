# SPDX-License-Identifier: Apache-2.0
"""From a QONNX file to simulated RTL: the steps of the flow and the command that runs them."""

from hw.finn.environment import prepare_finn

prepare_finn()
