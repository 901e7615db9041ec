# SPDX-License-Identifier: Apache-2.0
"""Measures and states of landmark sequences whose truth is known."""

import math

import numpy as np
import pytest

from host.face.landmarks import LEFT_EYE
from host.monitor.eyes import aspect_ratio
from host.monitor.measures import Measurer, Measures
from host.monitor.state import ASLEEP, AWAY, NO_FACE, NORMAL, TIRED, StateMachine, causes
from host.monitor.thresholds import Thresholds
from tests.host.drivers import FPS, face

LIMITS = Thresholds(pitch_gain=1.0)  # points of these tests are true ones
OPEN = 0.3
CLOSED = LIMITS.eye_shut


def play(*parts, measurer=None):
    """Measure parts (seconds, keyword arguments of a face, or None for no face); all Measures."""
    measurer = measurer or Measurer(LIMITS)
    times = [0]
    found = []
    for seconds, change in parts:
        landmarks = None if change is None else face(**change)
        for _ in range(round(seconds * FPS)):
            found.append(measurer.update(times[0] / FPS, landmarks))
            times[0] += 1
    return found


def states(found, limits=LIMITS):
    machine = StateMachine(limits)
    return [(one.time_s, machine.update(one)) for one in found]


def first(found, state):
    return next(at for at, name in found if name == state)


CALM = (4.0, {})


def test_the_aspect_ratio_is_height_over_width():
    assert aspect_ratio(face(eyes=0.25)[[*LEFT_EYE]]) == pytest.approx(0.25, abs=0.01)
    assert aspect_ratio(np.zeros((8, 2))) == 0


@pytest.mark.parametrize(("yaw", "pitch"), [(0, 0), (30, 0), (-30, 5), (0, 20), (10, -15)])
def test_the_pose_is_found_and_signed(yaw, pitch):
    found = play((0.04, {"yaw": yaw, "pitch": pitch}))[0]
    assert found.yaw_deg == pytest.approx(yaw, abs=2.5)
    assert found.pitch_deg == pytest.approx(pitch, abs=2.5)
    assert found.roll_deg == pytest.approx(0, abs=1.5)


def test_the_opening_is_relative_to_the_persons_own_eyes():
    for eyes in (0.2, 0.3, 0.4):
        found = play((4.0, {"eyes": eyes}), (0.2, {"eyes": CLOSED}))
        assert found[int(2.8 * FPS)].opening is None
        assert not found[int(2.8 * FPS)].calibrated
        assert found[int(3.9 * FPS)].opening == pytest.approx(1, abs=0.01)
        assert found[-1].opening == pytest.approx(0, abs=0.15)


def test_a_camera_aside_calibrates_and_a_head_turned_from_its_usual_pose_does_not():
    assert play((5.0, {"yaw": 25}))[-1].calibrated
    assert not play((1.5, {}), (1.4, {"yaw": 25}), (1.4, {"yaw": -25}))[-1].calibrated


def test_after_a_while_without_calibration_another_pose_teaches():
    """Lowered eyes at first; then open ones, with the head turned."""
    lowered, turned = {"eyes": 0.12}, {"yaw": 25, "eyes": 0.33}
    found = play((5.2, lowered), (4, turned))
    assert not found[int(5.1 * FPS)].calibrated
    assert found[-1].calibrated
    assert not play((9.2, lowered))[-1].calibrated


def test_blinks_and_microsleeps_are_told_apart_by_length():
    shut = {"eyes": CLOSED}
    found = play(CALM, (0.2, shut), (1, {}), (0.4, shut), (1, {}), (0.8, shut), (1, {}))
    assert (found[-1].blinks, found[-1].microsleeps) == (2, 1)
    assert found[-1].blink_rate == 2


def test_asleep_comes_right_after_its_time_and_goes_after_its_hold():
    found = states(play(CALM, (2.0, {"eyes": CLOSED}), (5, {})))
    begin = first(found, ASLEEP)
    assert LIMITS.asleep_s <= begin - 4.0 <= LIMITS.asleep_s + 2 / FPS
    after = [at for at, name in found if name == ASLEEP][-1]
    assert 6.0 + LIMITS.release_s - 2 / FPS <= after <= 6.0 + LIMITS.release_s + 2 / FPS
    assert found[-1][1] == TIRED  # a microsleep within the last minute


def test_perclos_is_the_share_of_closed_time_and_needs_enough_of_it():
    shut, opened = (0.4, {"eyes": CLOSED}), (1.2, {})
    found = play(CALM, *(shut, opened) * 24)
    early = [one.perclos for one in found if one.time_s < 30]
    assert set(early) == {None}
    assert found[-1].perclos == pytest.approx(0.4 / 1.6, abs=0.03)
    assert states(found)[-1][1] == TIRED
    assert found[-1].microsleeps == 0


def test_old_time_falls_out_of_perclos():
    found = play(CALM, (10, {"eyes": CLOSED}), (65, {}))
    assert found[-1].perclos == pytest.approx(0, abs=1e-9)


def test_yawns_count_once_and_speech_does_not():
    wide = {"mouth": 1.2 * LIMITS.yawn_mar}
    speech = [(0.3, wide), (0.3, {})] * 10
    found = play(CALM, (3, wide), (1, {}), *speech, (3, wide), (1, {}))
    assert found[-1].yawns == 2
    assert found[int((4.1 + LIMITS.yawn_s) * FPS)].yawns == 1


def test_three_yawns_make_tired():
    yawn = [(2, {"mouth": 1.2 * LIMITS.yawn_mar}), (1, {})]
    assert {name for _, name in states(play(CALM, *yawn * 2))} == {NORMAL}
    assert states(play(CALM, *yawn * 3))[-1][1] == TIRED


def test_nods_come_back_and_a_hanging_head_does_not():
    down = {"pitch": 18}
    found = play(CALM, (0.6, down), (1, {}), (0.6, down), (1, {}), (4, down), (1, {}))
    assert found[-1].nods == 2


def test_looking_away_waits_and_short_glances_are_allowed():
    found = states(play(CALM, (1.5, {"yaw": 35}), (2, {}), (4, {"yaw": -35}), (3, {})))
    assert LIMITS.away_s <= first(found, AWAY) - 7.5 <= LIMITS.away_s + 2 / FPS
    assert found[-1][1] == NORMAL


def test_a_camera_at_an_angle_is_no_looking_away():
    assert {name for _, name in states(play((20, {"yaw": 20, "pitch": 8})))} == {NORMAL}


def test_no_face_is_a_state_and_ends_when_it_comes_back():
    found = states(play(CALM, (3, None), (3, {})))
    last_seen = 4.0 - 1 / FPS
    since = first(found, NO_FACE) - last_seen
    assert LIMITS.no_face_s <= since + 1e-9
    assert since <= LIMITS.no_face_s + 2 / FPS
    assert found[-1][1] == NORMAL


def test_a_lost_face_does_not_go_on_sleeping():
    found = play(CALM, (1, {"eyes": CLOSED}), (1.2, None), (1, {"eyes": CLOSED}))
    assert found[-1].closed_s < 1.1
    assert ASLEEP not in {name for _, name in states(found)}


def test_a_face_that_is_lost_for_a_moment_goes_on_sleeping_and_the_moment_alone_is_no_sleep():
    found = play(CALM, (1, {"eyes": CLOSED}), (0.8, None), (0.4, {"eyes": CLOSED}), (1, {}))
    closed = [one.closed_s for one in found]
    gap = [one.closed_s for one in found if 5.0 <= one.time_s < 5.76]
    assert max(gap) < 1
    assert max(closed) == pytest.approx(2.2, abs=0.1)
    assert closed[-1] == 0


def test_sixty_normal_seconds_raise_no_alarm():
    blink = [(3.8, {}), (0.16, {"eyes": CLOSED})]
    found = play(*blink * 15)
    assert found[-1].blinks >= 13
    assert {name for _, name in states(found)} == {NORMAL}


def test_the_most_urgent_cause_wins():
    worst = Measures(time_s=9, closed_s=2, away_s=5, recent_nods=9)
    assert causes(worst, LIMITS) == [NORMAL, TIRED, AWAY, ASLEEP]


def test_thresholds_may_change_while_running():
    measurer = Measurer(LIMITS)
    play(CALM, measurer=measurer)
    measurer.thresholds = LIMITS.changed(yawn_mar=0.01)
    for number in range(60):
        found = measurer.update(4 + number / FPS, face())
    assert found.yawns == 1


def test_landmarks_of_a_flat_mess_give_no_pose_but_measures():
    found = play(CALM)[-1]
    assert found.yaw_deg is not None
    mess = np.full((98, 2), 50.0)
    mess[0] = 0.0
    one = Measurer(LIMITS).update(0.0, mess)
    assert one.mar == 0
    assert one.yaw_deg is None or math.isfinite(one.yaw_deg)
