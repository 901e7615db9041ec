# SPDX-License-Identifier: Apache-2.0
"""The drawings are what their programs make, and what they say is so."""

import re
import xml.etree.ElementTree as ET

import pytest

from docs_builder.diagrams import DRAWINGS, FOLDER, flow, network, write_all
from docs_builder.diagrams.hardware import output_fifo, packed
from docs_builder.diagrams.svg import Drawing, number
from docs_builder.diagrams.watching import causes
from host.face.landmarks import COUNT
from host.monitor.state import STATES
from host.monitor.thresholds import Thresholds


@pytest.mark.parametrize("name", DRAWINGS)
def test_the_file_is_what_the_program_makes(name):
    assert (FOLDER / f"{name}.svg").read_text() == DRAWINGS[name]().text(), (
        "run `python -m docs_builder diagrams`"
    )


def test_no_drawing_is_left_over(tmp_path):
    made = {path.name for path in write_all(tmp_path)}
    assert {path.name for path in FOLDER.glob("*")} == made


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_is_xml_within_its_frame(name):
    root = ET.fromstring(DRAWINGS[name]().text())
    _, _, width, height = (float(part) for part in root.get("viewBox").split())
    for shape in root.iter():
        assert 0 <= float(shape.get("x", 0)) <= width, shape.attrib
        assert 0 <= float(shape.get("y", 0)) <= height, shape.attrib
        for pair in shape.get("points", "").split():
            x, y = (float(part) for part in pair.split(","))
            assert 0 <= x <= width, shape.attrib
            assert 0 <= y <= height, shape.attrib


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_has_colours_for_light_and_for_dark(name):
    style = DRAWINGS[name]().text()
    assert "@media(prefers-color-scheme:dark){.paper{fill:#0d1117}" in style
    assert ".paper{fill:#ffffff}" in style


def test_the_flow_has_the_steps_of_the_program():
    program = (FOLDER.parents[1] / "build_flows" / "steps.py").read_text()
    assert list(flow.STEPS) == re.findall(r'^    Step\("(\w+)"', program, re.MULTILINE)


def test_every_state_has_its_cause():
    assert set(causes(Thresholds())) == set(STATES)


def test_every_layer_of_the_network_is_drawn_and_every_add(monkeypatch):
    written = []
    monkeypatch.setattr(Drawing, "write", lambda self, at, text, *_, **__: written.append(text))
    DRAWINGS["network"]()
    blocks = [name for line in network.LINES for name in line] + ["s2", "s3", "fc"]
    assert set(blocks) <= set(written)
    assert written.count("expand") == written.count("project") == 13
    assert written.count("+") == 1 + 10  # the legend's, and those of the network


def test_every_point_has_its_number(monkeypatch):
    written = []
    monkeypatch.setattr(Drawing, "write", lambda self, at, text, *_, **__: written.append(text))
    DRAWINGS["points"]()
    assert sorted(int(text) for text in written if text.isdigit()) == list(range(COUNT))


@pytest.mark.parametrize("pixels", [(0, 0), (255, 255), (255, 0), (0, 255), (7, 200)])
@pytest.mark.parametrize("weight", [-128, -3, -1, 0, 1, 127])
def test_the_packed_product_holds_both_products(pixels, weight):
    assert packed(pixels, weight).results == (pixels[0] * weight, pixels[1] * weight)


@pytest.mark.parametrize("depth", [2, 6, 16])
def test_a_push_always_finds_a_place(depth):
    cycles = output_fifo(([True] * 5 + [False] * 30) * 3, depth, latency=3)
    assert all(0 <= cycle.free <= depth for cycle in cycles)
    assert all(cycle.room for cycle in cycles if cycle.claim)
    pushed = taken = 0
    for cycle in cycles:
        taken += cycle.valid and cycle.ready
        assert 0 <= pushed - taken <= depth
        pushed += cycle.push


def test_coordinates_have_one_text():
    assert [number(value) for value in (0.04, -0.04, 3.0, 2.25, -7.16)] == [
        "0", "0", "3", "2.2", "-7.2",
    ]  # fmt: skip
