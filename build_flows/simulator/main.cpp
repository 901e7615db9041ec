// SPDX-License-Identifier: Apache-2.0
//
// Drives the Verilated accelerator from files: frames of bytes in, accumulators (int32) out.
//
//   simulator --input FRAMES --output WORDS [--stats JSON] [--stall-seed N]
//
// Frames follow each other without a pause. With a stall seed, both sides pause at random. Ends with
// exit code 1 and one line when the design takes and gives nothing for STALL_LIMIT cycles.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "Vaccelerator.h"
#include "design.h"
#include "verilated.h"

namespace {

namespace fs = std::filesystem;

constexpr int RESET_CYCLES = 16;

struct Options {
  std::string input, output, stats;
  bool stalls = false;
  unsigned seed = 0;
};

struct Stats {
  std::uint64_t cycles = 0, first_input = 0, first_output = 0;
  std::vector<std::uint64_t> frame_ends;
};

Options parse(int argc, char **argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i], value = argv[i + 1];
    if (name == "--input") options.input = fs::absolute(value);
    else if (name == "--output") options.output = fs::absolute(value);
    else if (name == "--stats") options.stats = fs::absolute(value);
    else if (name == "--stall-seed") { options.stalls = true; options.seed = std::stoul(value); }
    else throw std::runtime_error("unknown option " + name);
  }
  if (options.input.empty() || options.output.empty() || argc % 2 == 0)
    throw std::runtime_error("usage: simulator --input F --output F [--stats F] [--stall-seed N]");
  return options;
}

std::vector<std::uint8_t> read_frames(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  std::vector<std::uint8_t> bytes((std::istreambuf_iterator<char>(file)), {});
  constexpr std::size_t frame = std::size_t(INPUT_WORDS) * INPUT_BYTES;
  if (bytes.empty() || bytes.size() % frame)
    throw std::runtime_error(path + " holds " + std::to_string(bytes.size()) +
                             " bytes, no multiple of a frame of " + std::to_string(frame));
  return bytes;
}

void write_file(const std::string &path, const void *data, std::size_t size) {
  const std::string partial = path + ".partial";
  std::ofstream file(partial, std::ios::binary);
  file.write(static_cast<const char *>(data), static_cast<std::streamsize>(size));
  file.close();
  if (!file) throw std::runtime_error("cannot write " + path);
  fs::rename(partial, path);
}

std::string json(const Stats &stats) {
  std::string ends;
  for (auto end : stats.frame_ends) ends += (ends.empty() ? "" : ", ") + std::to_string(end);
  return "{\"frames\": " + std::to_string(stats.frame_ends.size()) +
         ", \"cycles\": " + std::to_string(stats.cycles) +
         ", \"first_input\": " + std::to_string(stats.first_input) +
         ", \"first_output\": " + std::to_string(stats.first_output) +
         ", \"frame_ends\": [" + ends + "]}\n";
}

Stats simulate(const std::vector<std::uint8_t> &bytes, const Options &options,
               std::vector<std::int32_t> &accumulators) {
  auto context = std::make_unique<VerilatedContext>();
  auto top = std::make_unique<Vaccelerator>(context.get());
  std::mt19937 random(options.seed);
  const std::size_t words_in = bytes.size() / INPUT_BYTES;
  const std::size_t words_out = words_in / INPUT_WORDS * OUTPUT_WORDS;
  std::size_t sent = 0, received = 0;
  std::uint64_t cycle = 0, last_progress = 0;
  bool offering = false;
  Stats stats;
  top->s_axis_tvalid = 0;
  top->m_axis_tready = 0;
  while (received < words_out) {
    const bool running = cycle >= RESET_CYCLES;
    top->rst_n = running;
    if (running && !offering && sent < words_in && (!options.stalls || random() % 3)) {
      offering = true;
      std::memcpy(&top->s_axis_tdata, &bytes[sent * INPUT_BYTES], INPUT_BYTES);
    }
    top->s_axis_tvalid = offering;
    top->m_axis_tready = running && (!options.stalls || random() % 3);
    top->clk = 0;
    top->eval();
    const bool take = offering && top->s_axis_tready;
    const bool give = top->m_axis_tready && top->m_axis_tvalid;
    if (give) {
      std::int32_t lanes[OUTPUT_LANES];
      std::memcpy(lanes, &top->m_axis_tdata, sizeof lanes);
      accumulators.insert(accumulators.end(), lanes, lanes + OUTPUT_LANES);
    }
    top->clk = 1;
    top->eval();
    if (take) {
      if (sent++ == 0) stats.first_input = cycle;
      offering = false;
    }
    if (give) {
      if (received++ == 0) stats.first_output = cycle;
      if (received % OUTPUT_WORDS == 0) stats.frame_ends.push_back(cycle);
    }
    if (take || give) last_progress = cycle;
    if (cycle - last_progress > STALL_LIMIT)
      throw std::runtime_error("deadlock: nothing in or out for " + std::to_string(STALL_LIMIT) +
                               " cycles after " + std::to_string(sent) + " words in and " +
                               std::to_string(received) + " words out");
    ++cycle;
  }
  stats.cycles = cycle;
  top->final();
  return stats;
}

} // namespace

int main(int argc, char **argv) {
  try {
    const Options options = parse(argc, argv);
    const auto bytes = read_frames(options.input);
    // Memory files are named relative to the design's folder.
    fs::current_path(fs::canonical(argv[0]).parent_path() / DESIGN_FOLDER);
    std::vector<std::int32_t> accumulators;
    const Stats stats = simulate(bytes, options, accumulators);
    write_file(options.output, accumulators.data(), accumulators.size() * sizeof(std::int32_t));
    if (!options.stats.empty()) {
      const std::string text = json(stats);
      write_file(options.stats, text.data(), text.size());
    }
  } catch (const std::exception &error) {
    std::fprintf(stderr, "simulator: %s\n", error.what());
    return 1;
  }
  return 0;
}
