# SPDX-License-Identifier: Apache-2.0
"""FINN without vendor tools."""
