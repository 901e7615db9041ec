# SPDX-License-Identifier: Apache-2.0
"""A window on the screen."""

from __future__ import annotations

import cv2

from host.common.errors import UserError
from host.monitor.judge import Observation
from host.monitor.pipeline import Stop

ESCAPE = 27


class WindowSink:
    """Shows the annotated frames; Esc ends the run."""

    name = "window"
    lossy = True
    TITLE = "driver monitor (Esc ends)"

    def write(self, seen: Observation) -> None:
        """Show the frame. Raises Stop on Esc, UserError without a screen."""
        try:
            cv2.imshow(self.TITLE, seen.picture)
            key = cv2.waitKey(1)
        except cv2.error as error:
            raise UserError(
                "this OpenCV shows no windows; install opencv-python instead of "
                "opencv-python-headless, or use --dashboard"
            ) from error
        if key & 0xFF == ESCAPE:
            raise Stop

    def close(self) -> None:
        """Nothing to finish; the window goes with the program."""
