# SPDX-License-Identifier: Apache-2.0
"""The step runner: order, resuming, failures that leave nothing half-done."""

import errno
import json
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest

from build_flows import flow, parts
from build_flows.build import Build
from build_flows.config import load_config
from build_flows.design.verify import Golden, compare
from build_flows.flow import Step
from build_flows.parts import part_of
from build_flows.report import PRODUCTS
from host.backends.sim import SimBackend
from host.board.settings import read_settings
from host.common.errors import UserError, VerifyError
from tests.build_flows.conftest import write_golden


def run(steps, cfg, out, until=None):
    return Build(cfg, out, steps=steps).until(until).results


def same(model, job):
    (job.folder / "note.txt").write_text("written by the step")
    return model


def test_steps_run_in_order_and_are_kept(cfg, tmp_path):
    out = tmp_path / "out"
    steps = [Step("one", same), Step("two", same)]
    assert [r.resumed for r in run(steps, cfg, out)] == [False, False]
    assert [r.resumed for r in run(steps, cfg, out)] == [True, True]
    assert (out / "two" / "note.txt").read_text() == "written by the step"


def test_a_changed_file_reruns_what_reads_it(cfg, tmp_path):
    out = tmp_path / "out"
    steps = [Step("one", same), Step("two", same)]
    run(steps, cfg, out)
    (out / "one" / "note.txt").write_text("changed by hand")
    assert [r.resumed for r in run(steps, cfg, out)] == [True, False]


def test_a_changed_program_reruns_the_step(cfg, tmp_path, monkeypatch):
    kernel = tmp_path / "kernel.sv"
    kernel.write_text("module kernel; endmodule")
    monkeypatch.setattr(flow, "files_of", lambda modules: [kernel])
    kept = []
    for text in ("module kernel; endmodule", "module kernel; wire w; endmodule"):
        kernel.write_text(text)
        flow._program.cache_clear()  # as in another process
        kept += [
            result.resumed for _ in range(2) for result in run([Step("one", same)], cfg, tmp_path)
        ]
    assert kept == [False, True, False, True]


@pytest.mark.parametrize("field", ["lut", "operand_bits"])
def test_a_changed_row_of_the_part_reruns_the_step(cfg, tmp_path, monkeypatch, field):
    steps = [Step("one", same)]
    run(steps, cfg, tmp_path)
    row = part_of(cfg.part)
    changed = replace(row, **{field: getattr(row, field) - 1})
    monkeypatch.setattr(parts, "parts", lambda: {cfg.part: changed})
    assert [r.resumed for _ in range(2) for r in run(steps, cfg, tmp_path)] == [False, True]


@pytest.mark.parametrize("fails", [False, True])
def test_what_was_published_goes_when_a_step_is_to_run_again(cfg, tmp_path, fails):
    def checks(model, job):
        assert not [name for name in PRODUCTS if (job.out / name).exists()]
        if fails:
            raise UserError("enough")
        return model

    run([Step("one", same)], cfg, tmp_path)
    for name in PRODUCTS:
        (tmp_path / name).write_text("{}")
    run([Step("one", same)], cfg, tmp_path)
    assert all((tmp_path / name).exists() for name in PRODUCTS)
    with pytest.raises(UserError, match="enough") if fails else nullcontext():
        run([Step("one", same), Step("two", checks)], cfg, tmp_path)
    for read in (read_settings, SimBackend):
        with pytest.raises(UserError, match=r"settings.json: .*; make it with: .* build"):
            read(tmp_path)


def test_a_finished_step_says_what_made_it(cfg, tmp_path):
    run([Step("one", same)], cfg, tmp_path / "out")
    done = json.loads((tmp_path / "out" / "one" / "done.json").read_text())
    assert done["config"] == cfg.as_dict()
    assert len(done["git"]) >= 7
    assert done["versions"]["numpy"] == np.__version__


def test_until_stops_and_is_checked(cfg, tmp_path):
    steps = [Step("one", same), Step("two", same)]
    assert [r.name for r in run(steps, cfg, tmp_path / "out", "one")] == ["one"]
    with pytest.raises(UserError, match="unknown step three; known are one, two"):
        run(steps, cfg, tmp_path / "out", "three")


@pytest.mark.parametrize(
    "failure", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")]
)
def test_a_failed_step_leaves_nothing_that_is_trusted(cfg, tmp_path, failure):
    def fails(model, job):
        (job.folder / "half.txt").write_text("half")
        raise failure

    out = tmp_path / "out"
    with pytest.raises(type(failure)):
        run([Step("one", same), Step("two", fails)], cfg, out)
    assert sorted(p.name for p in out.iterdir()) == ["one"]
    assert [r.resumed for r in run([Step("one", same), Step("two", same)], cfg, out)] == [
        True,
        False,
    ]


def test_a_wrong_model_stops_with_tensor_index_and_values(cfg, tmp_path):
    def corrupts(model, job):
        model.graph.node[0].op_type = "Abs"
        return model

    with pytest.raises(
        VerifyError, match=r"y\[0, 1\] is 1.0, the integer reference says -1 after bad"
    ):
        run([Step("bad", corrupts)], cfg, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_compare_names_the_first_difference():
    good = np.arange(6).reshape(2, 3)
    bad = good.copy()
    bad[1, 2] += 1
    compare("t", good, good, "here")
    with pytest.raises(
        VerifyError, match=r"t\[1, 2\] is 6, the integer reference says 5 after here"
    ):
        compare("t", bad, good, "here")
    with pytest.raises(VerifyError, match="shape"):
        compare("t", good[:1], good, "here")


def test_golden_must_belong_to_the_model(cfg):
    write_golden(
        cfg.model, images=np.zeros((2, 2, 2)), accumulators=np.zeros((2, 4)), model_sha256="0"
    )
    with pytest.raises(UserError, match="does not belong to net.onnx; export the model again"):
        Golden.load(cfg)


def test_golden_images_repeat(cfg):
    images = np.arange(8, dtype=np.uint8).reshape(2, 2, 2)
    repeated = Golden(images, images.reshape(2, 4).astype(np.int64)).repeated(3)
    assert np.array_equal(repeated.images, images[[0, 1, 0]])
    assert np.array_equal(repeated.accumulators, images.reshape(2, 4)[[0, 1, 0]])


def test_damaged_golden(cfg):
    cfg.golden.write_bytes(b"nonsense")
    with pytest.raises(UserError, match="is no golden file"):
        Golden.load(cfg)


def test_config_errors(tmp_path, cfg):
    with pytest.raises(UserError, match="no config nothing; known are .*demo"):
        load_config("nothing")
    file = tmp_path / "c.toml"
    file.write_text("model = [")
    with pytest.raises(UserError, match="is not TOML"):
        load_config(str(file))
    file.write_text('speed = 1\nmodel = "a"\n')
    with pytest.raises(UserError, match="unknown key speed in .*; known are name, model, folding"):
        load_config(str(file))
    file.write_text('model = "a.onnx"\n')
    with pytest.raises(UserError, match="lacks folding"):
        load_config(str(file))
    file.write_text('model = "a.onnx"\nfolding = "f.json"\n')
    with pytest.raises(UserError, match="a.onnx does not exist; config c names it"):
        load_config(str(file))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"clk_mhz": 1000.0}, "clk_mhz=1000.0 in t; allowed are 10 to 500"),
        ({"clk_mhz": float("nan")}, "clk_mhz=nan in config t; give a finite number"),
        ({"clk_mhz": "250"}, "clk_mhz='250' in config t; give a finite number"),
        ({"clk_mhz": True}, "clk_mhz=True in config t; give a finite number"),
        ({"frames": 2}, "frames=2 in t; simulate at least 3"),
        ({"frames": 3.5}, r"frames=3\.5 in config t; give a whole number"),
        ({"frames": True}, "frames=True in config t; give a whole number"),
        ({"model": 5}, "model=5 in config t; give the path of a file"),
        ({"input_scale": float("inf")}, "input_scale=inf in config t; give a finite number"),
        ({"input_scale": 10**400}, "input_scale=1000.* in config t; give a finite number"),
        ({"input_scale": 0}, "input_scale=0 in t must be above 0"),
        ({"input_offset": "a"}, "input_offset='a' in config t; give a finite number"),
        ({"task": ["values"]}, r"task=\['values'\] in config t; give a text"),
        ({"part": 5}, "part=5 in config t; give a text"),
        ({"part": "xyz"}, "no budget for the part xyz; known are xck26"),
        ({"name": 5}, "name=5 in config 5; give a text"),
        ({"name": "../evil"}, r"'\.\./evil' is no name of a build; use letters, digits and _"),
        ({"name": ""}, "'' is no name of a build"),
    ],
)
def test_config_values(cfg, values, message):
    with pytest.raises(UserError, match=message):
        replace(cfg, **values)


def test_a_whole_number_does_for_a_float(cfg):
    assert replace(cfg, clk_mhz=250, input_offset=-1).clk_mhz == 250


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('model = 5\nfolding = "f"\n', "model=5 in config c; give the path of a file"),
        ('model = ["a"]\nfolding = "f"\n', r"model=\['a'\] in config c; give the path of a file"),
        ("model = " + "[" * 9_999, "c.toml is not TOML: maximum recursion depth exceeded"),
    ],
)
def test_a_config_file_of_other_types(tmp_path, text, message):
    file = tmp_path / "c.toml"
    file.write_text(text)
    with pytest.raises(UserError, match=message):
        load_config(str(file))
