# SPDX-License-Identifier: Apache-2.0
"""Errors, files written whole, JSON and tables: what every package may use."""
