# SPDX-License-Identifier: Apache-2.0
"""JSON files: what is written is read, whole or not at all; what cannot be read is told."""

import pytest

from host.common.errors import UserError
from host.common.json_file import read_json, read_object, write_json


def test_what_is_written_is_read_in_the_same_order(tmp_path):
    content = {"b": [1, 2.5, None], "a": {"é": "x"}}
    write_json(tmp_path / "x.json", content)
    found = read_json(tmp_path / "x.json")
    assert (found, list(found)) == (content, ["b", "a"])
    assert (tmp_path / "x.json").read_text().endswith("}\n")


def test_a_mark_at_the_beginning_as_some_editors_write_it_is_no_matter(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b'\xef\xbb\xbf{"asleep_s": 2}')
    assert read_json(path) == {"asleep_s": 2}


def test_what_cannot_be_written_leaves_the_old(tmp_path):
    write_json(tmp_path / "x.json", {"a": 1})
    with pytest.raises(TypeError, match="not JSON serializable"):
        write_json(tmp_path / "x.json", {"a": object()})
    assert read_json(tmp_path / "x.json") == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"cannot read .*x\.json: No such file or directory"),
        ("{", r"x\.json is no JSON: "),
        ("[1]", r"x\.json holds no JSON object of thresholds"),
        ("[" * 100_000, r"x\.json is nested too deeply; give a plain JSON object"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path, text, message):
    if text is not None:
        (tmp_path / "x.json").write_text(text)
    with pytest.raises(UserError, match=message):
        read_object(tmp_path / "x.json", "thresholds")
