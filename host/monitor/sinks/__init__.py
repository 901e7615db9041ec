# SPDX-License-Identifier: Apache-2.0
"""Where observations go: JSON lines, annotated video, a window, MQTT."""
