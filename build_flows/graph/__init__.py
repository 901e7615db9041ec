# SPDX-License-Identifier: Apache-2.0
"""Steps on the graph: streamline, map to kernels, fold."""
