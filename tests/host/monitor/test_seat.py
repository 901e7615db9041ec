# SPDX-License-Identifier: Apache-2.0
"""Whose face: seats, and the driver's place that is kept through hiding."""

import pytest

from host.common.errors import UserError
from host.face.crop import square_around_box
from host.face.detect.faces import Box, Face
from host.monitor.capture import Frame
from host.monitor.seat import ANYWHERE, KEEP_S, DriverPlace, Seat, parse_seat
from host.monitor.track import DirectSearch, Tracker
from tests.host.drivers import Backend, picture

SIZE = (640, 480)
DRIVER = Face(box=Box(110, 170, 130, 130), score=0.9)
PASSENGER = Face(box=Box(400, 170, 140, 140), score=0.9)


@pytest.mark.parametrize(
    ("text", "seat"),
    [("left", Seat(0, 0, 0.5, 1)), ("right", Seat(0.5, 0, 0.5, 1)),
     ("0.1,0,0.4,0.9", Seat(0.1, 0, 0.4, 0.9))],
)  # fmt: skip
def test_seats_have_names_or_numbers(text, seat):
    assert parse_seat(text) == seat


@pytest.mark.parametrize(
    "text", ["", "middle", "1,2,3", "0,0,0,1", "1,0,0.5,1", "0,0,2,1", "nan,0,1,1"]
)
def test_other_seats_are_refused(text):
    with pytest.raises(UserError, match="the seat '.*' is none; give left, right or four"):
        parse_seat(text)


def test_the_seat_decides_and_else_the_first_face():
    faces = [PASSENGER, DRIVER]
    assert DriverPlace().choose(faces, SIZE, 0.0) is PASSENGER
    assert DriverPlace(parse_seat("left")).choose(faces, SIZE, 0.0) is DRIVER
    assert DriverPlace(parse_seat("left")).choose([PASSENGER], SIZE, 0.0) is None


def followed(until_s=5.0, seat=ANYWHERE):
    place = DriverPlace(seat)
    for number in range(round(until_s * 10)):
        place.follow(square_around_box(DRIVER.box), number / 10)
    return place


def test_a_hidden_drivers_place_is_kept_and_then_given_up():
    place = followed()
    assert place.choose([PASSENGER], SIZE, 6.0) is None
    assert place.choose([PASSENGER, DRIVER], SIZE, 6.5) is DRIVER
    assert place.choose([PASSENGER], SIZE, 5.0 + KEEP_S) is PASSENGER


def test_a_face_of_another_size_is_not_the_drivers():
    small = Face(box=Box(150, 200, 50, 50), score=0.9)
    assert followed().choose([small], SIZE, 6.0) is None


def test_a_face_that_was_followed_for_a_moment_does_not_take_the_place():
    place = followed()
    place.follow(square_around_box(PASSENGER.box), 5.2)
    assert place.choose([PASSENGER, DRIVER], SIZE, 6.5) is DRIVER


class Scripted:
    """A detector that finds what it is told, whatever the picture."""

    def __init__(self, faces):
        self.faces = faces

    def find(self, image):
        return self.faces


def test_a_face_the_wrong_way_up_is_told_and_not_followed():
    upside_down = Face(box=Box(200, 100, 160, 160), score=0.9, roll=3.1)
    tracker = Tracker(Backend(), DirectSearch(Scripted([upside_down])))
    track = tracker.update(Frame(0, 0.0, picture()))
    assert track.landmarks is None
    assert track.wrong_way


def test_a_face_the_wrong_way_up_is_remembered_while_other_turns_are_tried():
    """A quick detector finds it in one search of three."""
    upside_down = Face(box=Box(200, 100, 160, 160), score=0.9, roll=3.1)
    detector = Scripted([upside_down])
    tracker = Tracker(Backend(), DirectSearch(detector))
    told = []
    for number in range(150):
        detector.faces = [upside_down] if number % 18 < 6 and number < 90 else []
        told.append(tracker.update(Frame(number, number / 25, picture())).wrong_way)
    assert all(told[:90])
    assert not any(told[-20:])
