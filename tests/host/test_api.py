# SPDX-License-Identifier: Apache-2.0
"""The page about use from Python: its lines run as they stand."""

import re
import subprocess
import sys

import cv2
import pytest

from host.api import Monitor, Thresholds, UserError
from host.drawn.script import NORMAL, draw_frame, head_at
from host.face.detect.choice import open_detector
from tests.host.conftest import ROOT
from tests.host.drivers import Backend, Finder, picture

PAGE = (ROOT / "docs" / "api.md").read_text()
SLOW_MACHINE = re.compile(r"one face takes \d+ ms with .* is taken, --model chooses$")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def run(text, folder):
    program = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{text}"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False
    )
    told = [line for line in done.stderr.splitlines() if not SLOW_MACHINE.search(line)]
    assert (done.returncode, told) == (0, [])
    return done.stdout


def test_the_first_example_has_six_lines_and_finds_the_portrait(tmp_path):
    assert len([line for line in EXAMPLES[0].splitlines() if line]) == 6
    out = run(EXAMPLES[0], tmp_path)
    assert re.match(r"score 0\.\d\d, turned by 0 degrees, box Box\(x=1\d\d, y=\d\d, ", out)


def test_the_second_example_watches_a_recording(tmp_path):
    path = str(tmp_path / "drive.mp4")
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"mp4v"), 25, (640, 480))
    for number in range(5):
        writer.write(draw_frame([head_at(NORMAL, number / 25)]))
    writer.release()
    rows = [line.split() for line in run(EXAMPLES[1], tmp_path).splitlines()]
    assert [float(row[0]) for row in rows] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])
    assert {row[1] for row in rows} == {"normal"}


def test_a_monitor_judges_in_the_callers_thread():
    monitor = Monitor(Backend(), Finder(), Thresholds(no_face_s=1.0))
    seen = [monitor.update(n / 10, picture(left=200 if n < 20 else None)) for n in range(40)]
    assert [one.state for one in seen[:20]] == ["normal"] * 20
    assert seen[-1].state == "no face"
    assert seen[-1].alarm
    assert seen[0].track.landmarks.shape == (98, 2)
    assert seen[3].frame.number == 3
    monitor.thresholds = monitor.thresholds.changed(alarm_states=[])
    monitor.recalibrate()
    assert not monitor.update(4.0, picture(left=None)).alarm


def test_times_must_not_fall():
    monitor = Monitor(Backend(), open_detector("haar"))
    monitor.update(1.0, picture())
    with pytest.raises(UserError, match=r"time 0\.5 s after 1 s; times must not fall"):
        monitor.update(0.5, picture())
    with pytest.raises(UserError, match=r"time nan s after 1 s; times must not fall"):
        monitor.update(float("nan"), picture())
