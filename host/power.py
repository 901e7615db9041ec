# SPDX-License-Identifier: Apache-2.0
"""Power of the machine, by whatever it measures with; every reading names its origin."""

from __future__ import annotations

import contextlib
import csv
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any, Protocol

from host.common.errors import UserError

HWMON = Path("/sys/class/hwmon")
POWERCAP = Path("/sys/class/powercap")
SENSORS = {
    "ina260_u14": "Kria module (INA260)",
    "ina3221": "Jetson input (INA3221, channel 1)",
}
"""What the sensors of the kernel measure, by their names."""

INTERVAL_S = 0.1
"""Time between two readings."""


class Meter(Protocol):
    """Something that tells watts."""

    @property
    def origin(self) -> str:
        """What is measured by what."""

    def watts(self) -> float:
        """Power now, or since the last call."""


class HwmonMeter:
    """A power sensor of the kernel: INA260 of the Kria module, INA3221 of a Jetson."""

    def __init__(self, folder: Path, origin: str) -> None:
        self._folder, self.origin = folder, origin

    def watts(self) -> float:
        """Read the power, or voltage times current of channel 1."""
        power = self._folder / "power1_input"
        if power.is_file():
            return int(power.read_text()) * 1e-6
        volts = int((self._folder / "in1_input").read_text()) * 1e-3
        return volts * int((self._folder / "curr1_input").read_text()) * 1e-3


class RaplMeter:
    """The energy counter of an x86 processor package."""

    origin = "processor package (RAPL)"

    def __init__(self, folder: Path) -> None:
        self._file = folder / "energy_uj"
        self._range = int((folder / "max_energy_range_uj").read_text())
        self._last = (time.monotonic(), int(self._file.read_text()))

    def watts(self) -> float:
        """Mean power since the last call."""
        now = time.monotonic(), int(self._file.read_text())
        joules = ((now[1] - self._last[1]) % self._range) * 1e-6
        watts = joules / max(now[0] - self._last[0], 1e-9)
        self._last = now
        return watts


class NvmlMeter:
    """The first NVIDIA GPU's board."""

    origin = "GPU board (NVML)"

    def __init__(self, nvml: Any) -> None:
        self._nvml = nvml
        self._device = nvml.nvmlDeviceGetHandleByIndex(0)

    def watts(self) -> float:
        """Power now."""
        return float(self._nvml.nvmlDeviceGetPowerUsage(self._device)) * 1e-3


class PmicMeter:
    """The Raspberry Pi 5's power chip: sum of current times voltage over its rails."""

    origin = "board rails (vcgencmd pmic_read_adc)"

    def watts(self) -> float:
        """Power now."""
        done = subprocess.run(
            ["vcgencmd", "pmic_read_adc"], capture_output=True, text=True, check=True
        )
        return parse_pmic(done.stdout)


def parse_pmic(text: str) -> float:
    """Watts from lines such as ``3V7_WL_SW_A current(0)=0.1A`` and ``..._V volt(8)=3.7V``."""
    found = re.findall(r"(\w+)_([AV]) (?:current|volt)\(\d+\)=([\d.]+)[AV]", text)
    rails: dict[str, dict[str, float]] = {}
    for rail, kind, value in found:
        rails.setdefault(rail, {})[kind] = float(value)
    return sum(rail["A"] * rail["V"] for rail in rails.values() if len(rail) == 2)


def find_meters(hwmon: Path = HWMON, powercap: Path = POWERCAP) -> list[Meter]:
    """All meters of this machine; none on many."""
    meters: list[Meter] = []
    for folder in sorted(hwmon.glob("hwmon*")):
        name = (folder / "name").read_text().strip() if (folder / "name").is_file() else ""
        if name in SENSORS:
            meters.append(HwmonMeter(folder, SENSORS[name]))
    for origin in SENSORS.values():
        same = [m for m in meters if isinstance(m, HwmonMeter) and m.origin == origin]
        for number, meter in enumerate(same if len(same) > 1 else [], 1):
            meter.origin = f"{origin}, sensor {number}"
    package = powercap / "intel-rapl:0"
    with contextlib.suppress(OSError):  # no counter, or not readable without rights
        meters.append(RaplMeter(package))
    if shutil.which("vcgencmd"):
        meters.append(PmicMeter())
    return meters + _nvml_meters()


def _nvml_meters() -> list[Meter]:
    try:
        import pynvml
    except ImportError:
        return []
    try:
        pynvml.nvmlInit()
        return [NvmlMeter(pynvml)]
    except pynvml.NVMLError:
        return []  # no driver or no GPU


@dataclass(frozen=True)
class Power:
    """Readings of a meter over some time."""

    mean_w: float
    spread_w: float
    """Standard deviation of the readings."""
    samples: int


Powers = dict[str, Power]
"""By the origin of the meter."""


class Sampler:
    """Reads meters in the background; use as a context."""

    def __init__(self, meters: list[Meter]) -> None:
        self._meters = meters
        self._values: list[list[float]] = [[] for _ in meters]
        self._failure: str | None = None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="power", daemon=True)

    def __enter__(self) -> Sampler:
        self._read()  # counters begin here
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while self._failure is None and not self._end.wait(INTERVAL_S):
            for values, watts in zip(self._values, self._read(), strict=False):
                values.append(watts)

    def _read(self) -> list[float]:
        """Watts of each meter; none once a meter has failed."""
        found = []
        for meter in self._meters:
            try:
                found.append(meter.watts())
            except Exception as error:  # noqa: BLE001 - libraries of sensors have errors of their own
                self._failure = f"{meter.origin} gives no power: {error}"
                return []
        return found

    def powers(self) -> Powers:
        """What was read so far; UserError if a meter failed."""
        if self._failure is not None:
            raise UserError(self._failure)
        rows = zip(self._meters, self._values, strict=True)
        return {
            meter.origin: Power(fmean(values), pstdev(values), len(values))
            for meter, values in rows
            if values
        }


@dataclass(frozen=True)
class Measurement:
    """Power during some work, and idle before and after it, because machines warm up."""

    before: Powers
    during: Powers
    after: Powers

    def idle_w(self) -> dict[str, float]:
        """Mean of both idle phases by the origin of the meter."""
        return {
            origin: (self.before[origin].mean_w + self.after[origin].mean_w) / 2
            for origin in self.during
        }


def measure(work: Callable[[], None], meters: list[Meter], idle_s: float = 5.0) -> Measurement:
    """Read while ``work`` runs, and for ``idle_s`` seconds before and after it.

    Whatever the work raises is raised. UserError if a meter fails.
    """
    before = _idle(meters, idle_s)
    with Sampler(meters) as sampler:
        work()
    return Measurement(before, sampler.powers(), _idle(meters, idle_s))


def _idle(meters: list[Meter], seconds: float) -> Powers:
    with Sampler(meters) as sampler:
        time.sleep(seconds)
    return sampler.powers()


def read_meter_csv(path: Path, begin: float, end: float) -> float:
    """Mean watts of an external meter's log between two times.

    Args:
        path: CSV with the columns ``time`` (seconds since 1970) and ``watts``.
        begin: first time, seconds since 1970.
        end: last time.

    Raises:
        UserError: the file is missing, has other columns, or no reading between the times.
    """
    try:
        with path.open(newline="") as file:
            rows = [(float(row["time"]), float(row["watts"])) for row in csv.DictReader(file)]
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} has no columns time and watts with numbers: {error!r}") from error
    inside = [watts for at, watts in rows if begin <= at <= end]
    if not inside:
        raise UserError(f"{path} has no reading between {begin:.0f} and {end:.0f}")
    return sum(inside) / len(inside)
