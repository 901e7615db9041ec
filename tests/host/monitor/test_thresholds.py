# SPDX-License-Identifier: Apache-2.0
"""Thresholds: defaults, files, and every way in which they refuse."""

import json

import pytest

from host.common.errors import UserError
from host.monitor.thresholds import RANGES, Thresholds, doubt, read_thresholds


def test_a_file_changes_what_it_names(tmp_path):
    path = tmp_path / "limits.json"
    path.write_text(json.dumps({"asleep_s": 3, "yawn_mar": 0.5}))
    limits = read_thresholds(path)
    assert (limits.asleep_s, limits.yawn_mar) == (3, 0.5)
    assert limits.nod_deg == Thresholds().nod_deg


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"asleep": 1}, "unknown threshold 'asleep'; known are calibration_s, eye_shut"),
        ({"asleep_s": 0}, "threshold asleep_s=0; give a number from 0.3 to 10"),
        ({"asleep_s": 1500}, "threshold asleep_s=1500; give a number from 0.3 to 10"),
        ({"closed_below": 1e-4}, "threshold closed_below=0.0001; give a number from 0.02 to 0.6"),
        ({"asleep_s": True}, "threshold asleep_s=True; give a number from"),
        ({"asleep_s": "long"}, "threshold asleep_s='long'; give a number from"),
        ({"asleep_s": float("nan")}, "threshold asleep_s=nan; give a number from"),
        ({"eye_shut": 0.2}, "eye_shut=0.2 is above eye_least=0.19; give eye_shut at most"),
        ({"closed_below": 0.5}, "closed_below=0.5 is above open_above=0.4"),
        ({"asleep_s": 0.4}, "blink_max_s=0.5 is above asleep_s=0.4"),
    ],
)
def test_impossible_values_are_refused(values, message):
    with pytest.raises(UserError, match=message):
        Thresholds().changed(**values)


def test_every_number_has_a_range_that_holds_its_default():
    numbers = {name for name, value in vars(Thresholds()).items() if isinstance(value, float)}
    assert numbers == set(RANGES)


def test_states_that_do_not_sound_are_known():
    assert Thresholds().silent == []
    assert Thresholds(alarm_states=("asleep", "tired", "no face")).silent == [
        "eyes not visible", "wrong way up", "looking away", "no picture"]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"), [("{", "is no JSON"), ("[1]", "holds no JSON object of thresholds")]
)
def test_damaged_files_are_refused(tmp_path, text, message):
    path = tmp_path / "limits.json"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_thresholds(path)
    with pytest.raises(UserError, match=r"cannot read .*no\.json"):
        read_thresholds(tmp_path / "no.json")


@pytest.mark.parametrize(
    ("network", "own", "told"),
    [
        ("pfld_eyes_fp32", False, False),
        ("pfld_eyes_qat", False, False),
        ("pfld_1x_qat", False, True),
        ("pfld_1x_qat", True, False),
    ],
)
def test_limits_of_another_network_are_doubted(network, own, told):
    text = doubt(network, own)
    assert (text is not None) == told
    if told:
        assert f"measured with pfld_eyes, not with {network}, which may show closed eyes" in text
