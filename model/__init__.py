# SPDX-License-Identifier: Apache-2.0
"""Landmark network: data, training, quantisation and export to QONNX."""
