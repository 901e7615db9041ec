# SPDX-License-Identifier: Apache-2.0
"""The backend csim on a small C++ library in place of a network."""

import importlib.util
import json
import shutil

import numpy as np
import pytest

from host.backends import open_backend
from host.common.errors import ToolError, UserError
from tests.host.conftest import OUTPUTS, SIZE, settings

pytestmark = pytest.mark.skipif(
    shutil.which("g++") is None or importlib.util.find_spec("hls4ml") is None,
    reason="g++ or the package hls4ml is not installed",
)
SUMS = f"""
extern "C" int accelerator_frames(const unsigned char *images, int *sums, int count) {{
  for (int i = 0; i < count * {OUTPUTS}; i++)
    sums[i] = images[i / {OUTPUTS} * {SIZE * SIZE} + i % {OUTPUTS}] * 3 - i % {OUTPUTS};
  return RESULT;
}}
"""


@pytest.fixture
def build(tmp_path):
    folder = tmp_path / "hls"
    folder.mkdir()
    values = {name: value for name, value in settings().items() if name != "simulator"}
    (folder / "settings.json").write_text(json.dumps(values))
    (folder / "accelerator.cpp").write_text(SUMS.replace("RESULT", "0"))
    (folder / "frames.cpp").write_text("// in accelerator.cpp\n")
    return tmp_path


@pytest.fixture
def images():
    return np.random.default_rng(3).integers(0, 256, (2, SIZE, SIZE), dtype=np.uint8)


def test_landmarks_are_the_scaled_integers_of_the_library(build, images):
    backend = open_backend("csim", build=build)
    sums = images.reshape(2, -1)[:, :OUTPUTS].astype(int) * 3 - np.arange(OUTPUTS)
    scale, bias = (np.array(settings()["output"][name]) for name in ("scale", "bias"))
    assert np.array_equal(backend.infer(images), (sums * scale + bias).reshape(2, -1, 2))
    assert backend.details == {"accumulators": sums.tolist()}
    backend.close()


def test_it_is_compiled_once(build):
    open_backend("csim", build=build)
    (library,) = (build / "cache").glob("csim-*.so")
    before = library.stat().st_mtime_ns
    open_backend("csim", build=build)
    assert library.stat().st_mtime_ns == before


def test_words_left_over_are_an_error(build, images):
    (build / "hls" / "accelerator.cpp").write_text(SUMS.replace("RESULT", "5"))
    with pytest.raises(ToolError, match=r"accelerator\.cpp: 5 words missing or left over"):
        open_backend("csim", build=build).infer(images)


def test_images_are_checked(build):
    with pytest.raises(UserError, match=r"images are float64 of shape \(1, 2, 2\)"):
        open_backend("csim", build=build).infer(np.zeros((1, 2, 2)))


def test_a_compile_error_is_one_line_with_a_log(build):
    (build / "hls" / "accelerator.cpp").write_text("no C++\n")
    with pytest.raises(ToolError, match="accelerator.cpp:1:1: error: .*log: .*csim.log"):
        open_backend("csim", build=build)
    assert not list((build / "cache").glob("*.so"))


def test_what_is_missing_is_named(build, monkeypatch):
    with pytest.raises(UserError, match="make it with: python -m build_flows build"):
        open_backend("csim", build=build / "nowhere")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match=r"g\+\+ is not on PATH"):
        open_backend("csim", build=build)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="the package hls4ml, which carries hls_stream.h"):
        open_backend("csim", build=build)
