# SPDX-License-Identifier: Apache-2.0
"""A driver's profile: what is learnt, written and read again, and what is refused."""

import json

import pytest

from host.common.errors import UserError
from host.monitor.measures import Measurer
from host.monitor.profile import Profile, read_profile, write_profile
from host.monitor.thresholds import Thresholds
from tests.host.monitor.stories import EYE_OPEN, learnt, scene

GOOD = {"eye_left": 0.3, "eye_right": None, "yaw_deg": 5, "pitch_deg": -3.5,
        "proportions": [0.1] * 10}  # fmt: skip


def test_a_profile_is_learnt_written_and_read(tmp_path):
    found = learnt(scene(8, yaw=12, pitch=-8))
    assert found.eye_left == pytest.approx(EYE_OPEN, rel=0.08)
    assert found.yaw_deg == pytest.approx(12, abs=3)
    assert found.pitch_deg == pytest.approx(-8, abs=4)
    path = tmp_path / "anna.json"
    write_profile(path, found)
    assert read_profile(path) == found


@pytest.mark.parametrize(("eye", "allowed"), [(0.08, False), (0.19, True), (0.7, False)])
def test_eyes_that_the_thresholds_exclude(eye, allowed):
    values = {**GOOD, "eye_left": eye, "proportions": tuple(GOOD["proportions"])}
    profile, limits = Profile(**values), Thresholds()
    if allowed:
        profile.check(limits.eye_least, limits.eye_most)
    else:
        with pytest.raises(UserError, match=rf"an eye of {eye}, outside of eye_least=0\.19 to"):
            profile.check(limits.eye_least, limits.eye_most)


def test_there_is_none_before_the_calibration():
    assert Measurer(Thresholds()).profile() is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "no profile of format 1"),
        ({"eye": 1}, r"has the keys \['eye', .*a profile has \['eye_left'"),
        ({"eye_left": None}, "eyes None and None are not possible; give aspect ratios"),
        ({"eye_left": 3}, "eyes 3 and None are not possible"),
        ({"eye_left": True}, "eyes True and None are not possible"),
        ({"yaw_deg": "left"}, "yaw_deg='left' is not possible; give degrees"),
        ({"pitch_deg": float("nan")}, "pitch_deg=nan is not possible"),
        ({"proportions": [1, 2]}, "proportions are not 10 numbers"),
        ({"proportions": 7}, "proportions are not 10 numbers"),
        ({"proportions": [float("inf")] * 10}, "proportions are not 10 numbers"),
    ],
)
def test_impossible_profiles_are_refused(tmp_path, change, message):
    path = tmp_path / "profile.json"
    path.write_text(json.dumps({"format": 1, **GOOD, **change}))
    with pytest.raises(UserError, match=message):
        read_profile(path)


def test_a_profile_may_have_one_eye():
    assert Profile(**{**GOOD, "proportions": (0.1,) * 10}).eye_right is None
