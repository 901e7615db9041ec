# SPDX-License-Identifier: Apache-2.0
"""Small clips for sources."""

import cv2
import pytest

from tests.host.drivers import picture


@pytest.fixture
def clip():
    """Function that writes a video of eight frames at ten a second and returns its path."""

    def write(path, code="mp4v"):
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), 10, (640, 480))
        for number in range(8):
            writer.write(picture(left=200 + number))
        writer.release()
        return path

    return write
