# SPDX-License-Identifier: Apache-2.0
"""The network as C++ for Vitis HLS and g++."""
