// SPDX-License-Identifier: Apache-2.0
//
// Drives the Verilated accelerator from files: frames of bytes in, accumulators (int32) out.
//
//   simulator --input FRAMES --output WORDS [--stats JSON] [--stall-seed N] [--interval CYCLES]
//             [--trace VCD --trace-from CYCLE --trace-cycles N] [+preload] [+peaks]
//
// First the weights are written through the port s_axil and their checksum is compared; +preload
// leaves that out, their memories then begin with them. Cycles count from the end of that.
// +peaks prints how full each FIFO was.
//
// Frames follow each other without a pause, or with one word every CYCLES/INPUT_WORDS cycles. With
// a stall seed, both sides pause at random. When no stream of the design has moved for QUIET_LIMIT
// cycles in which nothing outside held it up, the run ends with exit code 1, one line, and the
// state of all streams in the statistics.

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
#include "Vaccelerator___024root.h"
#include "design.h"
#include "registers.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

namespace {

namespace fs = std::filesystem;
using namespace registers;

constexpr int RESET_CYCLES = 16;
constexpr std::uint64_t QUIET_LIMIT = 20'000;

struct Options {
  std::string input, output, stats, trace;
  bool stalls = false;
  unsigned seed = 0;
  std::uint64_t interval = 0; // cycles a frame is spread over, 0: as fast as it is taken
  std::uint64_t trace_from = 0, trace_cycles = 0;
};

struct Flow { // of one stream, in cycles: a word passed, waited for its sink, was waited for
  std::uint64_t moved = 0, blocked = 0, starved = 0;
};

struct Stats {
  std::uint64_t cycles = 0, first_input = 0, first_output = 0;
  std::vector<std::uint64_t> frame_ends;
  std::vector<Flow> flows;        // of the last frame that ended while others came in
  std::vector<std::string> stuck; // valid and ready of each stream as two digits, in a deadlock
};

struct Deadlock : std::runtime_error {
  using std::runtime_error::runtime_error;
};

Options parse(int argc, char **argv) {
  Options options;
  std::vector<std::string> words;
  for (int i = 1; i < argc; i++)
    if (argv[i][0] != '+') words.push_back(argv[i]);
  for (std::size_t i = 0; i + 1 < words.size(); i += 2) {
    const std::string &name = words[i], &value = words[i + 1];
    if (name == "--input") options.input = fs::absolute(value);
    else if (name == "--output") options.output = fs::absolute(value);
    else if (name == "--stats") options.stats = fs::absolute(value);
    else if (name == "--stall-seed") {
      options.stalls = true;
      options.seed = std::stoul(value);
    } else if (name == "--interval") options.interval = std::stoull(value);
    else if (name == "--trace") options.trace = fs::absolute(value);
    else if (name == "--trace-from") options.trace_from = std::stoull(value);
    else if (name == "--trace-cycles") options.trace_cycles = std::stoull(value);
    else throw std::runtime_error("unknown option " + name);
  }
  if (options.input.empty() || options.output.empty() || words.size() % 2)
    throw std::runtime_error("usage: simulator --input F --output F [--stats F] [--stall-seed N]");
#if !VM_TRACE
  if (!options.trace.empty()) throw std::runtime_error("this simulator was built without traces");
#endif
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

std::string joined(const std::vector<std::string> &items) {
  std::string text;
  for (const auto &item : items) text += (text.empty() ? "" : ", ") + item;
  return "[" + text + "]";
}

std::string json(const Stats &stats) {
  std::vector<std::string> ends, flows, stuck;
  for (auto end : stats.frame_ends) ends.push_back(std::to_string(end));
  for (const auto &flow : stats.flows)
    flows.push_back(joined(
        {std::to_string(flow.moved), std::to_string(flow.blocked), std::to_string(flow.starved)}));
  for (const auto &state : stats.stuck) stuck.push_back("\"" + state + "\"");
  return "{\"frames\": " + std::to_string(stats.frame_ends.size()) +
         ", \"cycles\": " + std::to_string(stats.cycles) +
         ", \"first_input\": " + std::to_string(stats.first_input) +
         ", \"first_output\": " + std::to_string(stats.first_output) +
         ", \"frame_ends\": " + joined(ends) + ", \"flows\": " + joined(flows) +
         ", \"stuck\": " + joined(stuck) + "}\n";
}

template <typename T>
bool bit(const T &signal, std::size_t i) {
  if constexpr (std::is_integral_v<T>) return signal >> i & 1;
  else return signal[i / 32] >> i % 32 & 1;
}

class Simulation {
public:
  Simulation(const Options &options, VerilatedContext *context)
      : options(options), context(context), top(context), random(options.seed), counting(STREAMS) {
#if VM_TRACE
    if (!options.trace.empty()) {
      context->traceEverOn(true);
      top.trace(&trace, 99);
      trace.open(options.trace.c_str());
    }
#endif
  }

  ~Simulation() { top.final(); }

  // Ends the reset, and has the weights in their memories.
  void start() {
    for (top.rst_n = 0; cycle < RESET_CYCLES;) clock();
    top.rst_n = 1;
#if MEMORIES
    const bool preloaded = std::string(context->commandArgsPlusMatch("preload")) != "";
    top.s_axil_bready = top.s_axil_rready = 1;
    top.s_axil_wstrb = 0xf;
    if (!preloaded) load();
    write(WEIGHT_CONTROL, WEIGHT_CONTROL_RUN);
    while (!(read(WEIGHT_STATUS) & WEIGHT_STATUS_RUNNING)) {}
#endif
  }

  void run(const std::vector<std::uint8_t> &bytes, std::vector<std::int32_t> &accumulators) {
    const std::size_t words_in = bytes.size() / INPUT_BYTES;
    const std::size_t words_out = words_in / INPUT_WORDS * OUTPUT_WORDS;
    std::size_t sent = 0, received = 0;
    std::uint64_t quiet = 0;
    bool offering = false;
    for (stats.cycles = 0; received < words_out; ++stats.cycles) {
      const bool due = stats.cycles * INPUT_WORDS >= sent * options.interval;
      if (due && !offering && sent < words_in && proceed()) {
        offering = true;
        std::memcpy(&top.s_axis_tdata, &bytes[sent * INPUT_BYTES], INPUT_BYTES);
      }
      top.s_axis_tvalid = offering;
      top.m_axis_tready = proceed();
      half_cycle(0);
      const bool take = offering && top.s_axis_tready;
      const bool give = top.m_axis_tready && top.m_axis_tvalid;
      const bool moved = observe();
      if (give) {
        std::int32_t lanes[OUTPUT_LANES];
        std::memcpy(lanes, &top.m_axis_tdata, sizeof lanes);
        accumulators.insert(accumulators.end(), lanes, lanes + OUTPUT_LANES);
      }
      const bool waiting = !top.m_axis_tready || (!offering && sent < words_in);
      if (moved) quiet = 0;
      else if (!waiting && ++quiet > QUIET_LIMIT) stop_in_deadlock(sent, received);
      half_cycle(1);
      if (take) {
        if (sent++ == 0) stats.first_input = stats.cycles;
        offering = false;
      }
      if (give) {
        if (received++ == 0) stats.first_output = stats.cycles;
        if (received % OUTPUT_WORDS == 0) end_frame(sent < words_in);
      }
    }
  }

  Stats stats;

private:
  bool proceed() { return !options.stalls || random() % 3; }

  // At each edge of clk, one of clk2x, where there is such a clock.
  void half_cycle(int level) {
    top.clk = level;
#if DOUBLE_CLOCK
    top.clk2x = 1;
#endif
    top.eval();
#if VM_TRACE
    const std::uint64_t from = options.trace_from, end = from + options.trace_cycles;
    if (trace.isOpen() && cycle >= from && cycle < end) trace.dump(2 * cycle + level);
#endif
    cycle += level;
#if DOUBLE_CLOCK
    top.clk2x = 0;
    top.eval();
#endif
  }

  void clock() {
    half_cycle(0);
    half_cycle(1);
  }

#if MEMORIES
  void write(std::uint32_t offset, std::uint32_t value) {
    top.s_axil_awaddr = offset - WEIGHT_PORT; // the design's port is that of weight_port alone
    top.s_axil_wdata = value;
    top.s_axil_awvalid = top.s_axil_wvalid = 1;
    while (top.s_axil_awvalid || top.s_axil_wvalid) {
      half_cycle(0);
      const bool address = top.s_axil_awready, beat = top.s_axil_wready;
      half_cycle(1);
      if (address) top.s_axil_awvalid = 0;
      if (beat) top.s_axil_wvalid = 0;
    }
  }

  std::uint32_t read(std::uint32_t offset) {
    top.s_axil_araddr = offset - WEIGHT_PORT;
    top.s_axil_arvalid = 1;
    for (;;) {
      half_cycle(0);
      const bool address = top.s_axil_arready, answer = top.s_axil_rvalid;
      const std::uint32_t value = top.s_axil_rdata;
      half_cycle(1);
      if (address) top.s_axil_arvalid = 0;
      if (answer) return value;
    }
  }

  // Writes all memories from their images and compares the checksum.
  void load() {
    std::uint32_t sum = 0;
    int index = 0;
    write(WEIGHT_CHECKSUM, 0);
    auto load_memory = [&](const char *file, int bits) {
      write(WEIGHT_ADDRESS, index++ << WEIGHT_WORD_BITS);
      std::ifstream image(file);
      for (std::string word; image >> word;) {
        for (int low = 0; low < bits; low += 32) { // eight digits a slice, from the right
          const int end = int(word.size()) - low / 4, begin = end > 8 ? end - 8 : 0;
          const auto slice =
              std::uint32_t(std::stoul(word.substr(begin, end - begin), nullptr, 16));
          write(WEIGHT_DATA, slice);
          sum = (sum << 1 | sum >> 31) + slice;
        }
      }
    };
#define LOAD(file, bits) load_memory(file, bits);
    MEMORY_LIST(LOAD)
#undef LOAD
    while (read(WEIGHT_STATUS) & WEIGHT_STATUS_BUSY) {}
    if (read(WEIGHT_STATUS) & WEIGHT_STATUS_ERROR || read(WEIGHT_CHECKSUM) != sum)
      throw std::runtime_error("the weight memories did not take what was written");
  }
#endif

  bool valid(std::size_t i) const { return bit(top.rootp->accelerator__DOT__observed_tvalid, i); }
  bool ready(std::size_t i) const { return bit(top.rootp->accelerator__DOT__observed_tready, i); }

  bool observe() {
    bool any = false;
    for (std::size_t i = 0; i < STREAMS; i++) {
      const bool v = valid(i), r = ready(i);
      counting[i].moved += v && r;
      counting[i].blocked += v && !r;
      counting[i].starved += !v && r;
      any |= v && r;
    }
    return any;
  }

  void end_frame(bool more_to_come) {
    stats.frame_ends.push_back(stats.cycles);
    if (more_to_come || stats.flows.empty()) stats.flows = counting;
    counting.assign(STREAMS, Flow());
  }

  void stop_in_deadlock(std::size_t sent, std::size_t received) {
    for (std::size_t i = 0; i < STREAMS; i++)
      stats.stuck.push_back(std::string(valid(i) ? "1" : "0") + (ready(i) ? "1" : "0"));
    throw Deadlock("deadlock: no stream moved for " + std::to_string(QUIET_LIMIT) +
                   " cycles after " + std::to_string(sent) + " words in and " +
                   std::to_string(received) + " words out");
  }

  const Options &options;
  VerilatedContext *context;
  Vaccelerator top;
  std::mt19937 random;
  std::vector<Flow> counting;
  std::uint64_t cycle = 0; // since the simulation began
#if VM_TRACE
  VerilatedVcdC trace;
#endif
};

void simulate(int argc, char **argv) {
  const Options options = parse(argc, argv);
  const auto bytes = read_frames(options.input);
  // Memory files are named relative to the design's folder.
  fs::current_path(fs::canonical(argv[0]).parent_path() / DESIGN_FOLDER);
  VerilatedContext context;
  context.commandArgs(argc, argv);
  std::vector<std::int32_t> accumulators;
  Simulation simulation(options, &context);
  auto write_stats = [&] {
    const std::string text = json(simulation.stats);
    if (!options.stats.empty()) write_file(options.stats, text.data(), text.size());
  };
  try {
    simulation.start();
    simulation.run(bytes, accumulators);
  } catch (const Deadlock &) {
    write_stats();
    throw;
  }
  write_file(options.output, accumulators.data(), accumulators.size() * sizeof(std::int32_t));
  write_stats();
}

} // namespace

int main(int argc, char **argv) {
  try {
    simulate(argc, argv);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "simulator: %s\n", error.what());
    return 1;
  }
  return 0;
}
