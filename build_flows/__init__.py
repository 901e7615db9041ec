# SPDX-License-Identifier: Apache-2.0
"""From a QONNX file to simulated RTL: the steps of the flow and the command that runs them."""

import sys

if sys.version_info < (3, 11):
    sys.exit(f"build_flows needs Python 3.11 or later; this is {sys.version.split()[0]}")
