# SPDX-License-Identifier: Apache-2.0
"""The dataflow function with a thread for each call and streams as deep as their pragmas say."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

HEADERS = Path(__file__).with_name("bounded")
STREAM = re.compile(
    r'  (hls::stream<.*>) (\w+)\("\w+"\);\n#pragma HLS stream variable = \2 depth = (\d+)\n'
)
CALL = re.compile(r"^  (\w+::run<.*>\(.*\);)$", re.MULTILINE)
COMMAND = ("g++", "-std=c++17", "-O1", "-DLANES_NATIVE", "-Wno-unknown-pragmas", "-pthread")
MAIN = """
extern "C" int accelerator_frames(const unsigned char *images, int *sums, int count);
#include <cstdio>
#include <vector>
int main(int, char **argv) {
  std::vector<unsigned char> image(INPUT_WORDS * INPUT_LANES);
  std::vector<int> sums(OUTPUT_WORDS * OUTPUT_LANES);
  std::FILE *file = std::fopen(argv[1], "rb");
  if (!file || std::fread(image.data(), 1, image.size(), file) != image.size())
    return 2;
  const int wrong = accelerator_frames(image.data(), sums.data(), 1);
  for (const int sum : sums)
    std::printf("%d\\n", sum);
  return wrong != 0;
}
"""


def compile_threads(sources: Path, folder: Path) -> Path:
    """``folder``/threads from the C++ in ``sources``; it takes the file of an image."""
    text = (sources / "accelerator.cpp").read_text()
    text = STREAM.sub(r'  \1 \2("\2", \3);\n', text)
    text = CALL.sub(r"  threads.emplace_back([&] { \1 });", text)
    begin = text.index("{", text.index("void accelerator(")) + 1
    end = text.rindex("}")
    text = (
        f"#include <thread>\n#include <vector>\n{text[:begin]}\n  std::vector<std::thread> threads;"
        f"{text[begin:end]}  for (auto &thread : threads)\n    thread.join();\n}}\n"
    )
    (folder / "threads.cpp").write_text(text)
    (folder / "main.cpp").write_text('#include "accelerator.hpp"\n' + MAIN)
    program = folder / "threads"
    subprocess.run(
        [*COMMAND, f"-I{HEADERS}", f"-I{sources}", str(folder / "threads.cpp"),
         str(folder / "main.cpp"), str(sources / "frames.cpp"), "-o", str(program)], check=True,
    )  # fmt: skip
    return program


def run_threads(program: Path, image: bytes) -> tuple[int, str]:
    """Exit status and output for one image: the accumulators, or where it stands still."""
    file = program.with_name("image.bin")
    file.write_bytes(image)
    done = subprocess.run([program, file], capture_output=True, text=True)
    return done.returncode, done.stdout
