# SPDX-License-Identifier: Apache-2.0
"""Power of the whole module, from the INA260 on the Kria SOM.

Linux has it in hwmon, whose numbers change between boots, as ``ina260_u14``; ``power1_input`` is in
microwatts. The sensor sees the whole SOM: processors, memory and fabric, but not the carrier.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from host.errors import UserError

HWMON = Path("/sys/class/hwmon")
SENSOR = "ina260_u14"
INTERVAL_S = 0.05


@dataclass(frozen=True)
class Power:
    """Readings over some time."""

    mean_w: float
    spread_w: float
    """Standard deviation of the readings."""
    samples: int


@dataclass(frozen=True)
class Measurement:
    """Power during some work, and idle before and after."""

    before: Power
    during: Power
    after: Power

    @property
    def above_idle_w(self) -> float:
        """What the work costs: its mean less the mean of both idle phases."""
        return self.during.mean_w - (self.before.mean_w + self.after.mean_w) / 2


def find_sensor(hwmon: Path = HWMON) -> Path:
    """File with the power in microwatts; UserError where there is no such sensor."""
    for folder in sorted(hwmon.glob("hwmon*")):
        name = folder / "name"
        if name.is_file() and name.read_text().strip() == SENSOR:
            return folder / "power1_input"
    raise UserError(f"no sensor {SENSOR} below {hwmon}; power is measured on a Kria SOM only")


def read_power_w(sensor: Path) -> float:
    """One reading in watts; UserError if the sensor gives none."""
    try:
        return int(sensor.read_text()) / 1e6
    except (OSError, ValueError) as error:
        raise UserError(f"{sensor} gives no power: {error}") from error


def sample(sensor: Path, seconds: float, interval_s: float = INTERVAL_S) -> Power:
    """Read for some seconds, at least two times."""
    end = threading.Event()
    timer = threading.Timer(seconds, end.set)
    timer.start()
    try:
        return _sample(sensor, end, interval_s)
    finally:
        timer.cancel()


def measure(
    work: Callable[[], None],
    idle_s: float = 5.0,
    hwmon: Path = HWMON,
    interval_s: float = INTERVAL_S,
) -> Measurement:
    """Read while ``work`` runs, and for ``idle_s`` seconds before and after it.

    Whatever the work raises is raised.
    """
    sensor, end = find_sensor(hwmon), threading.Event()
    before = sample(sensor, idle_s, interval_s)
    worker = _Worker(work, end)
    worker.start()
    during = _sample(sensor, end, interval_s)
    worker.join()
    if worker.failure is not None:
        raise worker.failure
    return Measurement(before, during, sample(sensor, idle_s, interval_s))


class _Worker(threading.Thread):
    """Does the work and says when it has ended."""

    def __init__(self, work: Callable[[], None], end: threading.Event) -> None:
        super().__init__(daemon=True)
        self.failure: BaseException | None = None
        self._work, self._end = work, end

    def run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            self.failure = error
        finally:
            self._end.set()


def _sample(sensor: Path, end: threading.Event, interval_s: float) -> Power:
    values = [read_power_w(sensor)]
    due = time.monotonic()
    while len(values) < 2 or not end.is_set():
        due = max(due + interval_s, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))
        values.append(read_power_w(sensor))
    return Power(fmean(values), stdev(values), len(values))
