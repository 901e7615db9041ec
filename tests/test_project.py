# SPDX-License-Identifier: Apache-2.0
"""What stands around the code: one version, files that parse, targets and commands that exist."""

import re
import subprocess
from pathlib import Path

import pytest
import tomllib
import yaml

ROOT = Path(__file__).resolve().parents[1]
YAML = [*ROOT.glob(".github/**/*.yml"), ROOT / ".pre-commit-config.yaml", ROOT / "CITATION.cff"]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_citation_has_the_version_of_the_package():
    package = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == package


@pytest.mark.parametrize("path", YAML, ids=lambda path: path.name)
def test_yaml_is_an_object(path):
    assert isinstance(yaml.safe_load(path.read_text()), dict)


def test_the_workflow_runs_the_gate():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    assert {"run": ".ci/run"} in jobs["test"]["steps"]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_targets_that_a_page_names_exist(page):
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = re.findall(r"(?:`|^ {4})make ([a-z-]+)", page.read_text(), re.MULTILINE)
    assert set(named) <= set(targets)


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "SECURITY.md"])
def test_links_of_a_page_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text())
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize("arguments", [[], ["v1"], ["0.2"]])
def test_a_release_needs_a_version(arguments):
    command = [str(ROOT / ".ci" / "release"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "release: VERSION is missing or not like 0.2.0\n"
