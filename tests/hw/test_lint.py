# SPDX-License-Identifier: Apache-2.0
"""The linters find what they are there for, and nothing in the project."""

import pytest

from hw import lint

MODULE = """module kl_x (
  input  wire logic       clk,
  output logic      [7:0] q
);

  logic [3:0] count;

  always_ff @(posedge clk) {body}

endmodule
"""


def written(folder, body):
    path = folder / "kl_x.sv"
    path.write_text(MODULE.format(body=body))
    return path


def test_the_project_is_clean(capsys):
    assert lint.main([]) == 0, capsys.readouterr().out


def test_a_clean_module_passes(tmp_path):
    path = written(tmp_path, "{q, count} <= {q, count} + 1'b1;")
    assert lint.style([path]) == []
    assert lint.elaborates("kl_x", [path])


@pytest.mark.parametrize(
    ("body", "text"),
    [("q<=q+1'b1;", "not formatted; run"), ("q <= 8'd256;", "truncated-numeric-literal")],
)
def test_style_is_judged(tmp_path, body, text):
    path = written(tmp_path, body)
    assert any(str(path) in line and text in line for line in lint.style([path]))


@pytest.mark.parametrize(
    "body", ["q <= count + missing;", "q <= count;", "count <= {q, 1'b1};", "kl_missing u ();"]
)
def test_what_is_undeclared_or_of_another_width_is_not_elaborated(tmp_path, body):
    assert not lint.elaborates("kl_x", [written(tmp_path, body)])


def test_cpp_is_compared_with_its_format(tmp_path):
    path = tmp_path / "x.cpp"
    path.write_text("int main() { return 0; }\n")
    assert lint.format_of_cpp([path]) == []
    path.write_text("int main(){return 0;}\n")
    assert any("clang-format" in line for line in lint.format_of_cpp([path]))
