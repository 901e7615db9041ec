# SPDX-License-Identifier: Apache-2.0
"""The power reader on a made-up hwmon: which sensor, mean, spread, idle before and after."""

import time

import pytest

from host.errors import UserError
from host.power import find_sensor, measure, read_power_w, sample


@pytest.fixture
def hwmon(tmp_path):
    for number, name in enumerate(("other", "ina260_u14", "third")):
        folder = tmp_path / f"hwmon{number}"
        folder.mkdir()
        (folder / "name").write_text(f"{name}\n")
        (folder / "power1_input").write_text(f"{number + 2}500000\n")
    return tmp_path


def test_the_sensor_is_found_by_its_name(hwmon):
    sensor = find_sensor(hwmon)
    assert sensor == hwmon / "hwmon1" / "power1_input"
    assert read_power_w(sensor) == 3.5
    (hwmon / "hwmon1" / "name").write_text("moved")
    with pytest.raises(UserError, match="no sensor ina260_u14 below .*; power is measured on a K"):
        find_sensor(hwmon)


def test_a_sensor_without_a_number(hwmon):
    sensor = find_sensor(hwmon)
    sensor.write_text("?")
    with pytest.raises(UserError, match="power1_input gives no power: "):
        read_power_w(sensor)


def test_a_sample_has_mean_and_spread(hwmon):
    power = sample(find_sensor(hwmon), 0.02, 0.005)
    assert (power.mean_w, power.spread_w) == (3.5, 0.0)
    assert power.samples >= 2


def test_work_is_measured_between_two_idle_phases(hwmon):
    sensor = find_sensor(hwmon)

    def show(value):  # in one step: the reader must not meet an empty file
        (hwmon / "next").write_text(value)
        (hwmon / "next").replace(sensor)

    def work():
        show("5500000")
        time.sleep(0.1)
        show("4500000")

    found = measure(work, 0.02, hwmon, 0.002)
    assert found.before.mean_w == 3.5
    assert found.after.mean_w == 4.5
    assert 5.0 < found.during.mean_w <= 5.5
    assert found.above_idle_w == found.during.mean_w - 4.0


def test_a_failure_of_the_work_is_raised(hwmon):
    def work():
        raise ValueError("work")

    with pytest.raises(ValueError, match="work"):
        measure(work, 0.01, hwmon, 0.002)
