# SPDX-License-Identifier: Apache-2.0
"""The driver monitor: capture, tracking, measures, state, and where the results go."""
