# SPDX-License-Identifier: Apache-2.0
"""Files are there whole or not at all."""

import errno
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from host.common.atomic import replacing, write_bytes, write_image, write_text
from host.common.errors import UserError


def test_bytes_text_and_pictures_are_written_alone(tmp_path):
    write_bytes(tmp_path / "a.bin", b"\0\1")
    write_text(tmp_path / "b.txt", "grün")
    picture = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    write_image(tmp_path / "c.PNG", picture)
    assert (tmp_path / "a.bin").read_bytes() == b"\0\1"
    assert (tmp_path / "b.txt").read_text("utf-8") == "grün"
    assert (cv2.imread(str(tmp_path / "c.PNG")) == picture).all()
    assert len(list(tmp_path.iterdir())) == 3


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_bytes(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def write_half(path, failure):
    with replacing(path) as partial:
        partial.write_text("half")
        raise failure


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ZeroDivisionError])
def test_an_interruption_leaves_the_former_file_alone(tmp_path, failure):
    path = tmp_path / "a.txt"
    path.write_text("former")
    with pytest.raises(failure):
        write_half(path, failure)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "former"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_full_disk_is_one_clear_line(tmp_path, monkeypatch, code):
    def fail(_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    path = tmp_path / "a.txt"
    path.write_text("former")
    with pytest.raises(UserError, match=f"cannot write {path}: {os.strerror(code)}; give a path"):
        write_text(path, "new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "former"


def test_a_folder_without_permission_is_named(tmp_path, monkeypatch):
    def fail(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(UserError, match="Permission denied; give a path in a writable folder"):
        write_bytes(tmp_path / "a.bin", b"")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing/a.png", "No such file or directory"),
        ("file/a.png", "Not a directory"),
        ("folder.png", "not a regular file; give another path"),
    ],
)
def test_impossible_places_are_named(tmp_path, name, reason):
    (tmp_path / "file").touch()
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(UserError, match=f"cannot write .*{name}: {reason}"):
        write_image(tmp_path / name, np.zeros((2, 2), np.uint8))


@pytest.mark.parametrize("name", ["face", "face.txt"])
def test_unknown_endings_are_refused(tmp_path, name):
    with pytest.raises(UserError, match=r"no picture format for the ending '.*'; use \.png, \.jpg"):
        write_image(tmp_path / name, np.zeros((2, 2), np.uint8))
