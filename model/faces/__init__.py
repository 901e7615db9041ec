# SPDX-License-Identifier: Apache-2.0
"""Procedural faces with exact landmarks."""
