# SPDX-License-Identifier: Apache-2.0
"""What a network makes of turned heads and of one person's pictures, where truth is known."""

from pathlib import Path

import numpy as np
import pytest

from host.monitor.person import SPREAD
from host.monitor.thresholds import Thresholds
from model.data.records import Record
from model.evaluation.driver import compare
from model.evaluation.habits import falls, habits, person_distances, pitch_slope, spread
from tests.host.drivers import face
from tests.host.monitor.stories import ANNA, BERT, shaped

LIMITS = Thresholds()
PITCHES = (-25, -12, 0, 12, 25)


def seen(pitch, who=ANNA, eyes=0.3, yaw=0.0):
    return shaped(face(eyes, yaw=yaw, pitch=pitch, at=(0.0, 0.0)), who) + np.array([320.0, 200.0])


def test_a_network_that_halves_the_pitch_has_slope_one_half():
    truth = np.array([(5.0, pitch) for pitch in range(-30, 31, 5)])
    found = truth * (1.0, 0.5)
    assert pitch_slope(found, truth) == pytest.approx(0.5)
    found[3] = np.nan
    found[6, 1] = 40.0  # a wrong pose
    assert pitch_slope(found, truth) == pytest.approx(0.5)
    assert np.isnan(pitch_slope(found[:0], truth[:0]))


def test_falls_are_found_again():
    """Eyes that narrow by exp(-0.4 p^2) downwards, exp(-0.2 p^2) upwards; p in 30 degrees."""
    poses = np.array([(0.0, float(pitch)) for pitch in PITCHES])
    ratios = [0.3 * np.exp(-(0.4 if p > 0 else 0.2) * (p / 30) ** 2) for p in PITCHES]
    points = np.stack([seen(0, eyes=round(float(ratio), 4)) for ratio in ratios])
    records = [Record(image=Path(f"Anna_{n}.png"), points=points[2]) for n in range(len(PITCHES))]
    found = compare(points, records)
    object.__setattr__(found, "people", ("Anna",) * len(PITCHES))
    down, up, _, _ = falls(found, poses)
    assert down == pytest.approx(0.4, abs=0.01)
    assert up == pytest.approx(0.2, abs=0.01)


def test_people_are_as_far_apart_as_their_faces_differ():
    rng = np.random.default_rng(1)
    people = [rng.normal(middle, SPREAD, (40, 10)) for middle in (0.0, 0.3, 0.6, 0.9)]
    assert spread(people) == pytest.approx(SPREAD, rel=0.4)
    same, others = person_distances(people)
    assert same.max() < 0.6
    assert others.min() > 2


def test_all_figures_have_names_and_few_faces_are_nan():
    points = np.stack([seen(pitch, who) for who in (ANNA, BERT) for pitch in (-5, 0, 5, 10)])
    records = [Record(image=Path(f"{n}.png"), points=one) for n, one in enumerate(points)]
    found = compare(points, records)
    alone = habits(found, records, LIMITS)
    assert alone["people compared"] == 0
    assert np.isnan(alone["spread of proportion 0"])
    assert alone["pitch found over true"] == pytest.approx(1.0)
    object.__setattr__(found, "people", ("Anna",) * 4 + ("Bert",) * 4)
    known = habits(found, records, LIMITS)
    assert known["people compared"] == 2
    assert known["same people beyond person_change"] == 0
    assert known["others beyond person_change"] == 1
    assert known["fall of the opening at 30 degrees down"] == pytest.approx(0, abs=0.6)
