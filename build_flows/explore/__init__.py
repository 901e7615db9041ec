# SPDX-License-Identifier: Apache-2.0
"""Foldings by constraint programming under the budget of a part."""
