# SPDX-License-Identifier: Apache-2.0
"""Where a file comes from: commit and versions, also without git and without packages."""

import platform
import subprocess

import numpy as np
import pytest

from host.common import provenance


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository of one commit in the place of ours."""
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    (tmp_path / "file").write_text("one")
    for command in ("init -q", "add file", "-c user.name=n -c user.email=e commit -qm one"):
        subprocess.run(["git", *command.split()], cwd=tmp_path, check=True)
    return tmp_path


def test_a_changed_tree_is_called_dirty(checkout):
    clean = provenance.git_hash()
    assert len(clean) == 40
    (checkout / "file").write_text("two")
    assert provenance.git_hash() == f"{clean}-dirty"


def test_outside_of_a_checkout_the_commit_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    assert provenance.git_hash() == "unknown"


def test_without_git_the_commit_is_unknown(checkout, monkeypatch):
    monkeypatch.setenv("PATH", str(checkout))
    assert provenance.git_hash() == "unknown"


def test_versions_are_those_of_installed_packages(monkeypatch):
    monkeypatch.setattr(provenance, "PACKAGES", ("numpy", "no-such-package"))
    assert provenance.versions() == {
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
