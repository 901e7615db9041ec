# SPDX-License-Identifier: Apache-2.0
"""A drawn driver, a source that needs no camera."""
