# SPDX-License-Identifier: Apache-2.0
"""How often eyes count as visible, with a network that sees light only."""

import cv2
import numpy as np
from click.testing import CliRunner

import host.backends
from host.face.eyes import FEATURES, load_network
from host.face.image import astronaut
from model.__main__ import main
from model.evaluation.detection import Sample
from model.evaluation.eyes import HIDDEN, JUDGED, measure_eyes, measure_hidden
from model.training.eyes import EyeNet, write_network
from tests.host.drivers import Backend, face


def light_meter():
    """Visible where the face's median, the second number of the summary, is above 5 levels."""
    parts = EyeNet().network()
    zeros = {name: np.zeros_like(part) for name, part in parts._asdict().items()}
    zeros["hidden"][-3, 0], zeros["bias4"][0] = 1.0, 1.0  # median / 128
    zeros["out"][0, 0], zeros["bias5"][0] = 100.0, -100 * 5 / 128
    return parts._replace(**zeros)


def samples(folder):
    cv2.imwrite(str(folder / "face.png"), astronaut())
    points = 0.35 * (face(at=(0.0, 0.0))) + (226.0, 106.0)
    return [Sample(image=folder / "face.png", points=points, closed=shut) for shut in (False, True)]


def test_each_condition_is_a_row_of_percent(tmp_path):
    table = measure_eyes(samples(tmp_path), Backend(), {"light": light_meter()})
    rows = {line.split("|")[1].strip(): line.split("|")[2:-1] for line in table.splitlines()[2:]}
    assert set(rows) == {*JUDGED, *HIDDEN}
    assert [cell.strip() for cell in rows["as it is"]] == ["2", "100.0", "100.0", "100.0"]
    assert [cell.strip() for cell in rows["a hundredth of the light"]] == ["2", "0.0", "0.0", "0.0"]


def test_hidden_eyes_count_only_where_something_else_hides_them(tmp_path, monkeypatch):
    """The left eyes are hidden in the picture; the light meter takes them for visible."""
    seen = np.array([0.0, 1.0])
    monkeypatch.setattr("model.evaluation.eyes.eyes_seen", lambda image, points: seen)
    found, network = samples(tmp_path), {"light": light_meter()}
    assert measure_hidden(found, Backend(), network).endswith("count as visible: light 2.")
    assert measure_hidden(found, Backend(), network).startswith("Of 2 eyes of 2 faces that are")
    blind = {"blind": light_meter()._replace(bias5=np.full(2, -1e3, np.float32))}
    rows = measure_eyes(found, Backend(), {**network, **blind}).splitlines()
    assert rows[2].split("|")[3:9] == [" 100.0 "] * 3 + [" 0.0 "] * 3
    seen[1] = np.nan  # none is left that can be judged
    assert measure_eyes(found, Backend(), network).splitlines()[2].split("|")[3:6] == [" - "] * 3
    seen[:] = 1
    assert measure_hidden(found, Backend(), network) == ""


def test_the_command_compares_files(tmp_path, monkeypatch):
    monkeypatch.setattr(host.backends, "open_backend", lambda *names: Backend())
    monkeypatch.setattr(
        "model.evaluation.detection.collect_samples", lambda roots, count: samples(tmp_path)
    )
    write_network(tmp_path / "light.npz", light_meter())
    assert len(load_network(tmp_path / "light.npz").conv1) == 18
    assert FEATURES == 32 * 24 + 4
    words = ["evaluate-eyes", "--data", f"wflw={tmp_path}"]
    done = CliRunner().invoke(main, [*words, "--weights", f"mine={tmp_path / 'light.npz'}"])
    assert done.exit_code == 0, done.output
    assert "mine: open eyes" in done.output
