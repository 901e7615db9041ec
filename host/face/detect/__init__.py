# SPDX-License-Identifier: Apache-2.0
"""Face detectors: BlazeFace, which is the default, and OpenCV's Haar cascade.

``open_detector`` (in ``host.face.detect.choice``) opens one by name; each has ``find``, which
returns :class:`host.face.detect.faces.Face`, the largest first. docs/host.md compares them.
"""
