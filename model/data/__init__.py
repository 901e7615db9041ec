# SPDX-License-Identifier: Apache-2.0
"""Data sets of labelled faces: readers of their layouts, a registry, and cached crops."""
