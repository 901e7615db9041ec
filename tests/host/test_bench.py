# SPDX-License-Identifier: Apache-2.0
"""The benchmark, its power meters and the comparison page."""

import json

import numpy as np
import pytest

from host import bench, comparison, power
from host.backends import DEFAULT_MODEL, open_backend
from host.common.errors import UserError
from host.power import RaplMeter, find_meters, parse_pmic, read_meter_csv


@pytest.fixture(scope="module")
def result(tiny_model, tmp_path_factory):
    """A short run of the tiny model, through the command."""
    path = tmp_path_factory.mktemp("bench") / "result.json"
    command = ["--backend", "cpu", "--model", tiny_model, "--seconds", "0.3", "--repeat", "2",
               "--batch", "4", "--threads", "1", "--name", "box", "--json", path]  # fmt: skip
    assert bench.main([str(word) for word in command]) == 0
    return path


def test_the_row_has_all_figures(result, capsys):
    found = json.loads(result.read_text())
    assert found["format"] == 1
    assert len(found["runs"]) == 2
    for run in found["runs"]:
        times = run["landmarks"]
        assert 0 < times["p50_ms"] <= times["p95_ms"] <= times["p99_ms"]
        assert times["fps"] == pytest.approx(times["frames"] / 0.3, rel=0.2)
    middle = np.median([run["landmarks"]["fps"] for run in found["runs"]])
    assert found["landmarks_fps"] == pytest.approx(middle)
    assert found["throughput"]["batch"] == 4
    assert found["throughput"]["fps"] > 0
    assert found["machine"]["cores"] >= 1
    assert found["machine"]["versions"]["numpy"] == np.__version__
    assert len(found["model_sha256"]) == 64
    assert found["accuracy"] is None
    assert bench.summary(found).startswith("box, cpu, pfld_eyes_tiny.onnx: landmarks ")


def test_percentiles_are_of_the_calls(monkeypatch):
    durations = iter([*[0.010] * 98, 0.030, 0.050])
    now = [0.0]

    def clock():
        return now[0]

    def call():
        now[0] += next(durations)

    monkeypatch.setattr(bench.time, "perf_counter", clock)
    found = bench.latencies(call, 1.059)
    assert found["frames"] == 100
    assert found["p50_ms"] == pytest.approx(10)
    assert found["p95_ms"] == pytest.approx(10)
    assert 30 <= found["p99_ms"] <= 50
    assert found["fps"] == pytest.approx(100 / 1.06)


def test_accuracy_is_100_minus_nme(tmp_path, tiny_model, shape):
    images = np.zeros((3, 112, 112), np.uint8)
    eyes = np.linalg.norm(shape[60] - shape[72])
    true = np.repeat(shape[np.newaxis], 3, axis=0)
    true[2, :, 0] += 0.2 * eyes  # 20 % of the (unchanged) distance of the eyes
    np.savez(tmp_path / "faces.npz", images=images, landmarks=true)
    found = bench.accuracy(open_backend("cpu", tiny_model), tmp_path / "faces.npz")
    assert found["nme"] == pytest.approx(20 / 3, rel=1e-4)
    assert found["accuracy"] == pytest.approx(100 - 20 / 3, rel=1e-4)
    assert found["fr10"] == pytest.approx(100 / 3)
    np.savez(tmp_path / "other.npz", images=images)
    with pytest.raises(UserError, match=r"other\.npz is no npz with images and landmarks"):
        bench.accuracy(open_backend("cpu", tiny_model), tmp_path / "other.npz")


def test_bad_options_and_models_end_in_one_line(capsys, tmp_path):
    with pytest.raises(SystemExit) as done:
        bench.main(["--repeat", "0"])
    assert done.value.code == 2
    capsys.readouterr()
    assert bench.main(["--backend", "cpu", "--model", str(tmp_path / "no.onnx")]) == 1
    assert capsys.readouterr().err.startswith("error: cannot read the model ")


@pytest.mark.slow
def test_the_shipped_network_keeps_its_speed():
    """End to end at least 0.8 of landmarks only; the backend within 5 % of bare onnxruntime."""
    backend = open_backend("cpu", DEFAULT_MODEL)
    found = bench.measure(backend, 10.0, 3, 4)
    assert found["end_to_end_ratio"] >= 0.8
    assert found["bare"]["ratio"] >= 0.95


# -- power -----------------------------------------------------------------------------------------


def sensor(folder, **files):
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(f"{text}\n")
    return folder


def test_meters_are_found_by_their_names(tmp_path):
    sensor(tmp_path / "hwmon" / "hwmon3", name="ina260_u14", power1_input=3_250_000)
    sensor(tmp_path / "hwmon" / "hwmon1", name="ina3221", in1_input=5000, curr1_input=1200)
    sensor(tmp_path / "hwmon" / "hwmon0", name="coretemp")
    sensor(tmp_path / "cap" / "intel-rapl:0", energy_uj=0, max_energy_range_uj=10**9)
    meters = find_meters(tmp_path / "hwmon", tmp_path / "cap")
    origins = [meter.origin for meter in meters[:3]]
    assert origins == ["Jetson input (INA3221, channel 1)", "Kria module (INA260)",
                       "processor package (RAPL)"]  # fmt: skip
    assert [meter.watts() for meter in meters[:2]] == pytest.approx([6.0, 3.25])


def test_the_energy_counter_may_overflow(tmp_path, monkeypatch):
    clock = iter([0.0, 2.0])
    monkeypatch.setattr(power.time, "monotonic", lambda: next(clock))
    folder = sensor(tmp_path / "cap", energy_uj=90_000_000, max_energy_range_uj=100_000_000)
    meter = RaplMeter(folder)
    (folder / "energy_uj").write_text("10000000")
    assert meter.watts() == pytest.approx(10.0)


def test_the_pis_rails_are_summed():
    rails = ("A_A current(0)=0.5A", "A_V volt(8)=3.0V", "B_A current(1)=1.0A",
             "B_V volt(9)=0.8V", "C_V volt(2)=5V")  # fmt: skip
    text = "\n".join(rails)
    assert parse_pmic(text) == pytest.approx(0.5 * 3 + 0.8)


def test_an_external_meters_log_is_averaged_over_the_run(tmp_path):
    path = tmp_path / "meter.csv"
    path.write_text("time,watts\n9,100\n10,4\n11,6\n12,8\n13,100\n")
    assert read_meter_csv(path, 10, 12) == 6
    with pytest.raises(UserError, match="has no reading between 50 and 60"):
        read_meter_csv(path, 50, 60)
    path.write_text("t,w\n1,2\n")
    with pytest.raises(UserError, match="has no columns time and watts with numbers"):
        read_meter_csv(path, 0, 9)
    with pytest.raises(UserError, match=r"cannot read .*no\.csv"):
        read_meter_csv(tmp_path / "no.csv", 0, 9)


# -- comparison ------------------------------------------------------------------------------------


@pytest.fixture
def build(tmp_path):
    path = tmp_path / "report.json"
    path.write_text(json.dumps(
        {"config": {"name": "wide"}, "cycles_per_frame": 250_000,
         "rates": [{"clk_mhz": 250.0, "clk2x_mhz": 500.0}, {"clk_mhz": 200.0}]}
    ))  # fmt: skip
    return path


def test_the_page_has_every_row_with_its_origin(result, build, tmp_path, capsys):
    out = tmp_path / "page"
    assert comparison.main([str(result), "--build", str(build), "--out", str(out)]) == 0
    assert "7 platforms" in capsys.readouterr().out
    page, text = (out / "platforms.html").read_text(), (out / "platforms.md").read_text()
    for part in ("simulated: 250,000 cycles per frame (RTL), 250 and 500 MHz assumed; no power",
                 "published, the paper", "measured 20", "box: "):  # fmt: skip
        assert part in text
    assert page.count("<tr>") == 8
    assert (out / "platforms.png").read_bytes().startswith(b"\x89PNG")
    row = comparison.simulated_row(build)
    assert (row.fps, row.watts) == (1000, None)
    assert row.cells()[3:5] == ["-", "-"]


def test_power_and_load_are_told(result, tmp_path):
    content = json.loads(result.read_text())
    content["power_w"], content["landmarks_fps"] = {"board": 4.0}, 30.0
    content["machine"] |= {"load": 9.0, "cores": 2}
    busy = tmp_path / "busy.json"
    busy.write_text(json.dumps(content))
    row = comparison.measured_row(busy)
    assert row.cells()[3:5] == ["4.0 W (board)", "7.50"]
    assert "while the machine was busy (load 9.0)" in row.origin


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "is no JSON"), ("[]", "holds no JSON object"), ("{}", "with format 1")],
)
def test_other_files_are_refused(tmp_path, capsys, text, message):
    path = tmp_path / "x.json"
    path.write_text(text)
    assert comparison.main([str(path), "--out", str(tmp_path)]) == 1
    assert message in capsys.readouterr().err
    with pytest.raises(UserError):
        comparison.simulated_row(path)
    assert comparison.main([str(tmp_path / "no.json")]) == 1
    assert "cannot read" in capsys.readouterr().err
