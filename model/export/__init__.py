# SPDX-License-Identifier: Apache-2.0
"""QONNX, the integer reference, and files for onnxruntime."""
