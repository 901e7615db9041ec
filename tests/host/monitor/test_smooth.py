# SPDX-License-Identifier: Apache-2.0
"""Smoothing of the landmarks."""

import numpy as np

from host.face.landmarks import inter_ocular
from host.monitor.capture import Frame
from host.monitor.smooth import OneEuro, Smoother
from host.monitor.track import Track
from tests.host.drivers import FPS, face, picture


def test_the_filter_calms_noise_and_follows_motion():
    rng = np.random.default_rng(3)
    still, noise = OneEuro(1.0, 0.1), rng.normal(0, 1, 500)
    calmed = [float(still.smooth(value, n / FPS)) for n, value in enumerate(noise)]
    assert np.std(calmed[50:]) < 0.6 * np.std(noise[50:])
    quick, slow = OneEuro(1.0, 5.0), OneEuro(1.0, 0.0)
    ramp = np.arange(100) * 2.0
    for number, value in enumerate(ramp):
        lags = [value - float(one.smooth(value, number / FPS)) for one in (quick, slow)]
    assert 0 < lags[0] < 0.2 * lags[1]


def test_the_filter_is_exact_at_first_and_after_a_reset():
    smooth = OneEuro(1.0, 1.0)
    assert smooth.smooth([1.0, 2.0], 0.0).tolist() == [1, 2]
    assert smooth.smooth([9.0, 2.0], 1.0).tolist() != [9, 2]
    smooth.reset()
    assert smooth.smooth([5.0, 5.0], 2.0).tolist() == [5, 5]
    assert smooth.smooth([7.0, 5.0], 2.0).tolist() == [7, 5]


def test_tracks_have_smoothed_landmarks_and_begin_anew_with_each_face():
    """Noise is calmed; the first frame of a face, also after a gap, is as it was found."""
    rng, smoother = np.random.default_rng(5), Smoother()
    unit, found, seen = float(inter_ocular(face())), [], []
    for number in range(60):
        found.append(face() + rng.normal(0, 0.01 * unit, (98, 2)) + 40 * (number >= 30))
        track = Track(landmarks=None if number == 30 else found[-1], new=number in (0, 31))
        seen.append(smoother.update(Frame(number, number / FPS, picture()), track).landmarks)
    assert seen[30] is None
    for first in (0, 31):
        assert np.array_equal(seen[first], found[first])
    steps = [np.diff(points[10:30], axis=0).std() for points in (seen, found)]
    assert steps[0] < 0.7 * steps[1]
