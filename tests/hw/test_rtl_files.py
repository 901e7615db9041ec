# SPDX-License-Identifier: Apache-2.0
"""Which files a module needs, and their order: packages and modules before their users."""

from pathlib import Path

from hw.rtl_files import RTL_FOLDER, files_of, in_order, module_name, source_files


def write(folder: Path, **texts: str) -> None:
    for stem, text in texts.items():
        (folder / f"{stem}.sv").write_text(text)


def test_packages_come_before_users_whose_names_sort_first(tmp_path):
    write(
        tmp_path,
        a_user="module a_user; import z_pkg::*; b_cell u (); endmodule",
        b_cell="module b_cell; localparam int X = m_types::Y; endmodule",
        z_pkg="package automatic z_pkg;\n  localparam int X = m_types::Y;\nendpackage",
        m_types="package m_types;\n  localparam int Y = 1;\nendpackage",
    )
    (tmp_path / "top.v").write_text("module top; a_user u (); endmodule")
    (tmp_path / "words.hex").write_text("0\n")
    stems = [path.stem for path in source_files(tmp_path)]
    assert stems == ["m_types", "b_cell", "z_pkg", "a_user", "top"]


def test_a_name_in_a_comment_is_no_use(tmp_path):
    write(tmp_path, a="module a; /* b\n b */ endmodule // see b", b="module b; endmodule")
    assert [path.stem for path in source_files(tmp_path)] == ["a", "b"]


def test_files_that_name_each_other_come_once(tmp_path):
    write(tmp_path, a="module a; b b (); endmodule", b="module b; wire a; endmodule")
    assert [path.stem for path in source_files(tmp_path)] == ["b", "a"]


def test_a_module_brings_what_it_instantiates():
    files = files_of([module_name("requant")])
    stems = [path.stem for path in files]
    assert stems.index("kl_fifo") < stems.index("kl_output_fifo") < stems.index("kl_requant")
    assert "kl_dense" not in stems
    assert files == in_order(files)


def test_every_file_of_the_folder_holds_the_module_of_its_name():
    for path in RTL_FOLDER.glob("*.sv"):
        kind = "package" if path.stem.endswith("_pkg") else "module"
        assert f"\n{kind} {path.stem}" in path.read_text()
