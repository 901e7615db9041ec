# SPDX-License-Identifier: Apache-2.0
"""Angles of the head from its landmarks, by fitting a rigid template of 11 points (PnP)."""

from __future__ import annotations

import cv2
import numpy as np

from host.common.arrays import Points

TEMPLATE_POINTS = (60, 64, 68, 72, 51, 54, 55, 59, 76, 82, 16)
"""Eye corners, nose ridge's ends, nostrils, corners of the mouth, chin."""

PICKED = np.array(TEMPLATE_POINTS)

TEMPLATE = np.array(
    [
        (-0.500, 0.000, 0.000),
        (-0.196, 0.016, 0.165),
        (0.196, 0.016, 0.165),
        (0.500, 0.000, 0.000),
        (0.000, 0.008, 0.296),
        (0.000, 0.409, 0.450),
        (-0.180, 0.454, 0.280),
        (0.180, 0.454, 0.280),
        (-0.327, 0.719, 0.109),
        (0.327, 0.719, 0.109),
        (0.000, 1.235, 0.005),
    ]
)
"""Where they are on a frontal face (11, 3), in inter-ocular distances: right, down, towards the
camera. The median of 600 procedural faces (model/faces/shape.py) with closed jaws."""

DISTANCE = 12.0  #: assumed distance of the camera from the face over the side of the crop
TOWARDS_LENS = TEMPLATE * (1, 1, -1)  #: OpenCV's z runs away from the camera
CAMERA = np.array([[DISTANCE, 0, 0.5], [0, DISTANCE, 0.5], [0, 0, 1.0]])
FLIP = np.array([[1, 1, -1], [1, 1, -1], [-1, -1, 1.0]])  #: of a matrix, when z runs the other way
LIMIT = np.pi / 2  #: yaw and pitch of a plausible fit stay below


def head_pose(landmarks: Points) -> Points:
    """Yaw, pitch and roll (3,) in radians of landmarks (98, 2) in fractions of a crop.

    Signs are those of the procedural faces. nan where points of the template are unknown or no
    plausible pose fits.
    """
    found = np.asarray(landmarks, np.float64)[PICKED]
    if not np.isfinite(found).all():
        return np.full(3, np.nan)
    try:
        worked, vector, _ = cv2.solvePnP(
            TOWARDS_LENS, found, CAMERA, None, flags=cv2.SOLVEPNP_SQPNP
        )
    except cv2.error:  # points that all but coincide
        worked = False
    if not worked:
        return np.full(3, np.nan)
    angles = euler_angles(FLIP * cv2.Rodrigues(vector)[0])
    return angles if (np.abs(angles[:2]) < LIMIT).all() else np.full(3, np.nan)


def euler_angles(turn: Points) -> Points:
    """Yaw, pitch and roll (3,) of a matrix (3, 3) of model.faces.shape.rotation."""
    flat = np.hypot(turn[2, 1], turn[2, 2])
    yaw, pitch = np.arctan2(-turn[2, 0], flat), np.arctan2(-turn[2, 1], turn[2, 2])
    return np.array([yaw, pitch, np.arctan2(turn[1, 0], turn[0, 0])])
