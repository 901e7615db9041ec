# SPDX-License-Identifier: Apache-2.0
"""docs/your-network.md: its ResNet8, narrow, becomes a design that equals its QONNX file."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from build_flows.build import Build
from build_flows.config import load_config
from build_flows.explore.front import Search
from build_flows.new import write_first_folding, write_network
from host import run

PAGE = Path(__file__).resolve().parents[2] / "docs" / "your-network.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WIDTH, CLASSES, SIZE, FPS = 4, 5, 16, 2_000
CYCLES = 250e6 / FPS


def code_of_page():
    """What the page's Python defines."""
    names = {}
    for block in BLOCK.findall(PAGE.read_text()):
        exec(block, names)
    return names


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Build of the narrow network, which has a folding and has not begun."""
    folder = tmp_path_factory.mktemp("resnet8")
    torch.manual_seed(3)
    page = code_of_page()
    network = page["ResNet8"](WIDTH, CLASSES)
    for _ in range(3):
        network(torch.rand(16, 3, SIZE, SIZE))
    page["export"](network, str(folder / "in.onnx"), SIZE)
    config = write_network("resnet8", folder / "in.onnx", None, folder, task="classes")
    made = Build(load_config(str(config)), folder / "build")
    assert write_first_folding(made.cfg, made.explorer(Search(time_limit=0.5)), FPS) <= CYCLES
    return Build(load_config(str(config)), made.out)


def test_the_narrow_network_in_c_equals_its_file(work):
    golden = work.golden
    assert np.array_equal(work.cpp().accumulate(golden.images), golden.accumulators)
    assert len({*golden.accumulators.argmax(1)}) > 1 or np.ptp(golden.accumulators) > 0


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_its_rtl_equals_the_file_and_the_host_names_the_class(work, tmp_path, capsys):
    report = work.until().report()
    assert report["bit_exact"]
    assert report["equal_to_file"] == report["images_compared"] == len(work.golden.images)
    assert report["cycles_per_frame"] <= 1.2 * CYCLES
    picture = tmp_path / "picture.png"
    cv2.imwrite(str(picture), work.golden.images[0][..., ::-1])
    words = ["--backend", "sim", "--build", str(work.out), "--source", str(picture), "--json"]
    assert run.main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert [*found["outputs"].values()] == [work.golden.file_outputs[0].argmax()]
