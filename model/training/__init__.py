# SPDX-License-Identifier: Apache-2.0
"""FP32 training, PTQ and QAT."""
