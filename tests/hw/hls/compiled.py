# SPDX-License-Identifier: Apache-2.0
"""A program of g++ with the top functions of several cases of a kernel, fed with words."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from host.backends.csim import vendor_headers
from hw.twin import HLS_FOLDER, Twin, Word, top

HERE = Path(__file__).parent
MODES = {"ap_int": (), "native": ("-DLANES_NATIVE",)}  #: how words are held, see lanes.hpp
OPTIONS = ("-std=c++17", "-O0", "-Wall", "-Wno-unknown-pragmas")


@dataclass(frozen=True)
class Vectors:
    """Twin of a case, and the words of FRAMES frames that go in and must come out."""

    twin: Twin
    frames: int
    inputs: list[list[int]]
    outputs: list[list[int]]


def compile_cases(twins: Sequence[Twin], folder: Path, *options: str) -> Path:
    """``folder``/bench, which runs the case whose number it is given; CalledProcessError."""
    headers = dict.fromkeys(f'#include "{twin.kernel}.hpp"\n' for twin in twins)
    text = f'#include "bench.hpp"\n{"".join(headers)}'
    text += "".join(_case(i, twin, folder) for i, twin in enumerate(twins))
    runs = "".join(f"  case {i}: case_{i}::run(std::stoi(argv[2])); break;\n"
                   for i in range(len(twins)))  # fmt: skip
    text += f"int main(int, char **argv) {{\n  switch (std::stoi(argv[1])) {{\n{runs}  }}\n}}\n"
    (folder / "bench.cpp").write_text(text)
    compile_file(folder, "-o", str(folder / "bench"), *options)
    return folder / "bench"


def compile_file(folder: Path, *options: str) -> None:
    """g++ on ``folder``/bench.cpp."""
    subprocess.run(
        ["g++", *OPTIONS, "-isystem", str(vendor_headers()), f"-I{HLS_FOLDER}", f"-I{HERE}",
         f"-I{folder}", *options, str(folder / "bench.cpp")],
        check=True, capture_output=True, text=True,
    )  # fmt: skip


def _case(index: int, twin: Twin, folder: Path) -> str:
    """Top function and run() of a case in a namespace of its own."""
    text = top(twin)
    if twin.table:
        name = f"{twin.table.name}.inc"
        (folder / f"case_{index}_{name}").write_text(twin.table.text())
        text = text.replace(f'"{name}"', f'"case_{index}_{name}"')
    inputs, outputs = _streams("in", twin.inputs), _streams("out", twin.outputs)
    words = {**inputs, **outputs}
    lines = [f"hls::stream<{word.cpp}> {name};" for name, word in words.items()]
    lines += [f'bench::read<{_sizes(w)}>("{name}.txt", {name});' for name, w in inputs.items()]
    lines += ["while (frames-- > 0)", f"  {twin.kernel}_top({', '.join(words)});"]
    lines += [f'bench::write<{_sizes(w)}>("{name}.txt", {name});' for name, w in outputs.items()]
    lines += [f"if (!{name}.empty()) std::exit(2);" for name in inputs]
    body = "".join(f"  {line}\n" for line in lines)
    return f"namespace case_{index} {{\n{text}void run(int frames) {{\n{body}}}\n}}\n"


def _streams(prefix: str, words: Sequence[Word]) -> dict[str, Word]:
    return {f"{prefix}{i}": word for i, word in enumerate(words)}


def _sizes(word: Word) -> str:
    return f"{word.lanes}, {word.bits}"


def check_words(program: Path, index: int, vectors: Vectors, folder: Path) -> None:
    """Run case ``index``; AssertionError unless every word is right and none is left."""
    for i, words in enumerate(vectors.inputs):
        (folder / f"in{i}.txt").write_text("".join(f"{word:x}\n" for word in words))
    done = subprocess.run([program, str(index), str(vectors.frames)], cwd=folder,
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, f"words left over: {done.stdout}{done.stderr}"
    assert "WARNING" not in done.stdout  # hls::stream tells of reads from an empty one
    for i, words in enumerate(vectors.outputs):
        found = (folder / f"out{i}.txt").read_text().split()
        assert [int(word, 16) for word in found] == words
        assert words
