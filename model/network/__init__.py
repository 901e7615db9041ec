# SPDX-License-Identifier: Apache-2.0
"""The landmark network in floating point and quantised, its files, its answers."""
