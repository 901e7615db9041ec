# SPDX-License-Identifier: Apache-2.0
"""Power by a meter whose readings are known: mean, spread, idle before and after, failures."""

import time

import pytest

from host import power
from host.common.errors import UserError
from host.power import Power, Sampler, find_meters, measure


class Meter:
    """Gives the watts that it is told."""

    origin = "meter"

    def __init__(self, *watts):
        self.watts_now = list(watts)

    def watts(self):
        """The next value; the last one again and again."""
        return self.watts_now.pop(0) if len(self.watts_now) > 1 else self.watts_now[0]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(power, "INTERVAL_S", 0.001)


def test_mean_and_spread_are_those_of_the_readings():
    meter = Meter(100.0, *[3.0, 5.0] * 1000)  # what was counted before the start is left out
    with Sampler([meter]) as sampler:
        time.sleep(0.05)
    found = sampler.powers()["meter"]
    assert found.samples >= 2
    assert found.mean_w == pytest.approx(4.0, abs=1.01 / found.samples)
    assert found.spread_w == pytest.approx(1.0, abs=1.01 / found.samples)


def test_without_a_meter_there_is_no_power():
    found = measure(lambda: None, [], 0.0)
    assert (found.before, found.during, found.after, found.idle_w()) == ({}, {}, {}, {})


def test_work_is_measured_between_two_idle_phases():
    meter = Meter(3.5)

    def work():
        meter.watts_now = [6.5]
        time.sleep(0.05)
        meter.watts_now = [4.5]

    found = measure(work, [meter], 0.02)
    assert found.before["meter"].mean_w == 3.5
    assert found.after["meter"].mean_w == 4.5
    assert 6.0 < found.during["meter"].mean_w <= 6.5
    assert found.idle_w() == {"meter": 4.0}
    assert found.before["meter"] == Power(3.5, 0.0, found.before["meter"].samples)


def test_a_meter_that_fails_is_named():
    class Broken(Meter):
        def watts(self):
            value = super().watts()
            if value < 0:
                raise OSError("gone")
            return value

    with pytest.raises(UserError, match="meter gives no power: gone"):
        measure(lambda: time.sleep(0.05), [Broken(1.0, 1.0, -1.0)], 0.02)


def test_two_sensors_of_a_kind_keep_their_names(tmp_path):
    for number, milliamperes in enumerate((1000, 3000)):
        folder = tmp_path / f"hwmon{number}"
        folder.mkdir()
        for name, text in (("name", "ina3221\n"), ("in1_input", "5000"),
                           ("curr1_input", str(milliamperes))):  # fmt: skip
            (folder / name).write_text(text)
    found = {meter.origin: meter.watts() for meter in find_meters(tmp_path, tmp_path)}
    origin = "Jetson input (INA3221, channel 1), sensor"
    assert found == {f"{origin} 1": 5.0, f"{origin} 2": 15.0}


def test_a_library_that_fails_in_the_middle_is_named():
    class Lost(Exception):
        pass

    class Gpu:
        origin, calls = "GPU board (NVML)", 0

        def watts(self):
            self.calls += 1
            if self.calls == 4:
                raise Lost("GPU is lost")
            return 100.0

    with pytest.raises(UserError, match=r"GPU board \(NVML\) gives no power: GPU is lost"):
        measure(lambda: time.sleep(0.5), [Gpu()], idle_s=0.15)


def test_a_failure_of_the_work_is_raised():
    with pytest.raises(ZeroDivisionError):
        measure(lambda: 1 / 0, [Meter(1.0)], 0.01)
