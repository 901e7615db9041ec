# SPDX-License-Identifier: Apache-2.0
"""Numbers of README and comparison are those of the reports, the model cards and their own sums."""

import json
import re

import pytest

from docs_builder import figures
from docs_builder.figures import FILE, PART, ROOT, clocks, fps, from_report, table, with_tables
from host.common.errors import UserError
from host.common.paths import ZOO

README = (ROOT / "README.md").read_text()
COMPARISON = (ROOT / "docs" / "comparison.md").read_text()
PROSE = " ".join(COMPARISON.split())
CARDS = (ZOO / "README.md").read_text()
KNOWN = json.loads(FILE.read_text())
FULL = KNOWN["kv260_1x"]


@pytest.mark.parametrize("page", figures.PAGES)
def test_tables_of_a_page_are_made_from_the_figures(page):
    text = (ROOT / page).read_text()
    assert "<!-- figures: kv260_1x -->" in text
    assert text == with_tables(text, KNOWN), "run `python -m docs_builder figures`"


def test_a_wrong_number_is_noticed():
    wrong = README.replace(f"| {FULL['cycles_per_frame']:,};", "| 200,000;")
    assert wrong != README
    assert with_tables(wrong, KNOWN) == README


def test_a_table_without_figures_is_refused():
    with pytest.raises(UserError, match="no figures of nothing; it has demo, kv260_1x"):
        with_tables("<!-- figures: nothing -->\n<!-- end of figures -->", KNOWN)


def test_figures_of_a_report():
    names = figures.PLAIN
    used = {name: {"used": 10 + i} for i, name in enumerate(figures.RESOURCES)}
    found = from_report({**dict.fromkeys(names, 1), "budget": used, "fps": 3})
    assert found == dict.fromkeys(names, 1) | {
        "lut": 10, "ff": 11, "dsp": 12, "bram18": 13, "uram": 14,
    }  # fmt: skip


def test_frames_per_second_follow_from_cycles_and_clock():
    assert fps({"clk_mhz": 250.0, "cycles_per_frame": 250_000}) == 1000
    for row in KNOWN.values():
        for rate in row["rates"]:
            assert rate["fps"] == round(rate["clk_mhz"] * 1e6 / row["cycles_per_frame"], 1)


def test_both_clocks_are_named():
    """Two rates, with the second clock where the design has one."""
    said = [line for line in table(FULL).splitlines() if line.startswith("| frames per second")]
    assert [line.split(" of ")[-1] for line in said] == ["250 and 500 MHz |", "200 and 400 MHz |"]
    assert table(KNOWN["demo"]).count("at an assumed clock of 250 MHz |") == 1


@pytest.mark.parametrize("name", KNOWN)
def test_the_page_on_folding_has_the_same_figures(name):
    row = KNOWN[name]
    text = (ROOT / "docs" / "folding.md").read_text()
    cells = re.search(rf"^\| `{name}` \|(.*)\|$", text, re.MULTILINE)[1]
    expected = (row["cycles_per_frame"], fps(row), *(row[key] for key in figures.RESOURCES))
    assert [int(cell.replace(",", "")) for cell in cells.split("|")] == list(expected)


def test_errors_in_the_readme_are_those_of_the_model_cards():
    """A row names the faces; its two errors stand in one row, or in two, of the cards."""
    row = r"^\| (?:full|eyes|small) \| (\d+) .*?\| ([\d.]+) % \| ([\d.]+) %"
    rows = re.findall(row, README, re.MULTILINE)
    assert len(rows) == 5
    for faces, before, after in rows:
        card = [line for line in CARDS.splitlines() if re.match(rf"\|.*\b{faces} ", line)]
        assert any(re.search(rf"\| {before} (%|\|)", line) for line in card), (faces, before)
        assert any(re.search(rf"\| {after} (%|\|)", line) for line in card), (faces, after)


def test_the_readme_says_what_one_clock_gives():
    row = KNOWN["kv260_1x_single"]
    said = f"{row['cycles_per_frame']:,} cycles and {fps(row):,} frames per second"
    assert said in " ".join(README.split())
    assert row["outputs_exact"] == row["outputs"]


def test_what_the_readme_says_of_others_is_on_their_pages():
    text = " ".join(README.split())
    anchor = re.search(r"PFLD-GhostOne \(([\d.]+) % on the same (\d+) faces\)", text)
    assert re.search(rf"^\| PFLD-GhostOne.*\| {anchor[2]} .*\| {anchor[1]} \|", CARDS, re.MULTILINE)
    paper = re.search(r"reports (\d+) frames per second and (\d+) W on the same board", text)
    row = next(line for line in COMPARISON.splitlines() if line.startswith("| Vitis AI's DPU"))
    assert f"| {paper[1]} | {paper[2]} W |" in row


def test_the_size_of_the_network_is_that_of_its_card():
    assert f"{FULL['macs'] / 1e6:.1f} million multiplications" in README
    assert f"{FULL['macs'] / 1e6:.1f} MMAC" in CARDS


def test_our_row_of_the_comparison_is_computed_from_the_figures():
    rows = [line for line in COMPARISON.splitlines() if line.startswith("| this project, PFLD")]
    for line, name in zip(rows, ("kv260_1x", "kv260_1x_single"), strict=True):
        cells, made = [cell.strip() for cell in line.split("|")[1:-1]], KNOWN[name]
        per_dsp = made["macs"] * made["clk_mhz"] / made["cycles_per_frame"] / made["dsp"] / 1e3
        dsps_mhz = made["rates"][0].get("clk2x_mhz", made["clk_mhz"])
        assert cells[2] == f"{clocks(made['rates'][0])}, assumed"
        assert cells[3] == f"{fps(made):,}"
        share = f"{500 * per_dsp / dsps_mhz:.0%}".replace("%", " %")
        lut = f"{round(made['lut'] / 1000)} k"
        assert cells[4:8] == [f"{made['dsp']:,}", lut, f"{per_dsp:.2f}", share]
        assert f"{round(made['mac_efficiency'] * 100)} %" in PROSE
    slower = FULL["rates"][1]
    assert f"Clocks of {clocks(slower)} would make it {slower['fps']:,.0f} frames" in PROSE
    assert f"{PART['dsp']:,} DSPs" in PROSE


def test_sums_of_published_designs():
    """Multiplications per second and DSP, and their share of two per cycle."""
    macs = 602 / 2 / 1000  # billions per picture
    checked = 0
    for line in COMPARISON.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 9 and cells[0].startswith(("Jiang", "Zhao")):
            clock, rate, dsp = (
                float(re.match(r"[\d,.]+", cells[i])[0].replace(",", "")) for i in (2, 3, 4)
            )
            assert cells[6] == f"{rate * macs / dsp:.2f}"
            assert cells[7] == f"{rate * macs / dsp / (2 * clock / 1000):.0%}".replace("%", " %")
            checked += 1
    assert checked == 2


def test_platforms_and_comparison_agree():
    text = (ROOT / "docs" / "platforms.md").read_text()
    assert f"{FULL['cycles_per_frame']:,} cycles per frame" in text
    for value in ("430", "108", "91.74 %", "92.42 %"):
        assert value in text
        assert value in COMPARISON
