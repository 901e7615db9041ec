# SPDX-License-Identifier: Apache-2.0
"""Makes what the pages do not say by hand: diagrams, reference pages, the site."""
