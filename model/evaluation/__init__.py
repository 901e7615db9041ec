# SPDX-License-Identifier: Apache-2.0
"""How well a network does: figures, pictures, reports."""
