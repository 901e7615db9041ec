// SPDX-License-Identifier: Apache-2.0
//
// The packaged accelerator in Verilator behind a model of an AXI DMA engine; told over stdin what
// to do, by host/board/sim_device.py. The clock runs only while something is asked for, and before
// each access, transfer or reset as long as was told with p: on a board time passes there too.
//
//   simulator [--stall-seed N] [+preload]
//
// With a stall seed, the DMA engine pauses at random on both sides. +preload: the weight memories
// begin with their files.
//
// A command is one letter and two numbers A, B of 32 bits, little-endian as all else:
//   w A B    write B to the register at A
//   r A -    read the register at A                            -> value
//   W A B    write the B numbers that follow to register A
//   R A B    read register A B times                           -> B values
//   s A B    send the A bytes that follow, TLAST with the last unless B is 1
//   g A B    receive up to A bytes, or up to TLAST, which is not seen if B is 1
//   a A B    run A cycles, or until one of the channels in B (1 send, 2 receive) becomes idle
//                                                    -> busy channels, + 4 if receiving has failed
//   d - -    what was received                                 -> its size, the bytes
//   i - -    the interrupt                                     -> 0 or 1
//   x - -    reset the DMA engine
//   p A B    from now on A to B cycles pass before each of the commands w r s g a x, and before
//   each
//            access of W and R; at random with the seed that follows, of 32 bits
//   c - -    cycles since the start, and when the last word of a frame was received
//                                                              -> 64 bits, 64 bits
// A packet longer than the place for it makes the receive channel fail.

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "Vlandmarks.h"
#include "design.h"
#include "verilated.h"

namespace {

namespace fs = std::filesystem;

constexpr int RESET_CYCLES = 16;
constexpr std::uint64_t ANSWER_LIMIT = 100'000; // cycles until a register counts as dead
constexpr unsigned SEND = 1, RECEIVE = 2, FAILED = 4;

struct Closed {}; // the other side has gone

class Shell {
public:
  Shell(VerilatedContext *context, bool stalls, unsigned seed)
      : top(context), random(seed), stalls(stalls) {
    top.aresetn = 0;
    while (cycle < RESET_CYCLES) clock();
    top.aresetn = 1;
    top.s_axil_wstrb = 0xf;
  }

  ~Shell() { top.final(); }

  void write(std::uint32_t offset, std::uint32_t value) {
    top.s_axil_awaddr = offset;
    top.s_axil_wdata = value;
    top.s_axil_awvalid = top.s_axil_wvalid = top.s_axil_bready = 1;
    for (const std::uint64_t end = cycle + ANSWER_LIMIT;;) {
      settle();
      const bool address = top.s_axil_awready, beat = top.s_axil_wready, done = top.s_axil_bvalid;
      edge();
      if (address) top.s_axil_awvalid = 0;
      if (beat) top.s_axil_wvalid = 0;
      if (done) return;
      check_answer(end, offset);
    }
  }

  std::uint32_t read(std::uint32_t offset) {
    top.s_axil_araddr = offset;
    top.s_axil_arvalid = top.s_axil_rready = 1;
    for (const std::uint64_t end = cycle + ANSWER_LIMIT;;) {
      settle();
      const bool address = top.s_axil_arready, done = top.s_axil_rvalid;
      const std::uint32_t value = top.s_axil_rdata;
      edge();
      if (address) top.s_axil_arvalid = 0;
      if (done) return value;
      check_answer(end, offset);
    }
  }

  void send(std::vector<std::uint8_t> bytes, bool marked) {
    if (sending()) throw std::runtime_error("the send channel is busy");
    to_send = std::move(bytes);
    sent = 0;
    end_sent = marked;
  }

  void receive(std::size_t capacity, bool marked) {
    if (place) throw std::runtime_error("the receive channel is busy");
    received.clear();
    place = capacity;
    end_seen = marked;
  }

  unsigned run(std::uint64_t cycles, unsigned channels) {
    const unsigned before = busy() & channels;
    for (const std::uint64_t end = cycle + cycles; cycle < end && (busy() & channels) == before;)
      clock();
    return busy() | failed * FAILED;
  }

  void set_delay(std::uint32_t least, std::uint32_t most, std::uint32_t seed) {
    if (least > most) throw std::runtime_error("no delay is at least more than at most");
    delay = std::uniform_int_distribution<std::uint32_t>(least, most);
    delays.seed(seed);
  }

  void pass() {
    for (const std::uint64_t end = cycle + delay(delays); cycle < end;) clock();
  }

  bool interrupt() const { return top.irq; }

  void reset() {
    to_send.clear();
    sent = place = 0;
    failed = false;
    top.s_axis_tvalid = top.m_axis_tready = 0;
  }

  std::vector<std::uint8_t> received;
  std::uint64_t cycle = 0, frame_end = 0;

private:
  bool sending() const { return sent < to_send.size(); }
  unsigned busy() const { return sending() * SEND + (place && !failed) * RECEIVE; }
  bool proceed() { return !stalls || random() % 3; }

  void clock() {
    settle();
    edge();
  }

  void settle() {
    if (!top.s_axis_tvalid && sending() && proceed()) {
      top.s_axis_tvalid = 1;
      std::memcpy(&top.s_axis_tdata, &to_send[sent], INPUT_BYTES);
      top.s_axis_tlast = end_sent && sent + INPUT_BYTES >= to_send.size();
    }
    top.m_axis_tready = place && !failed && proceed();
    half_cycle(0);
  }

  // At each edge of aclk, one of aclk2x, where there is such a clock.
  void half_cycle(int level) {
#if DOUBLE_CLOCK
    top.aclk2x = 0;
    top.eval();
    top.aclk2x = 1;
#endif
    top.aclk = level;
    top.eval();
  }

  void edge() {
    const bool take = top.s_axis_tvalid && top.s_axis_tready;
    const bool give = top.m_axis_tvalid && top.m_axis_tready;
    if (give) store();
    half_cycle(1);
    ++cycle;
    if (take) {
      sent += INPUT_BYTES;
      top.s_axis_tvalid = 0;
    }
  }

  void store() {
    if (received.size() + OUTPUT_BYTES > place) {
      failed = true;
      return;
    }
    const auto *bytes = reinterpret_cast<const std::uint8_t *>(&top.m_axis_tdata);
    received.insert(received.end(), bytes, bytes + OUTPUT_BYTES);
    if (!top.m_axis_tlast || !end_seen) return;
    place = 0;
    frame_end = cycle;
  }

  void check_answer(std::uint64_t end, std::uint32_t offset) const {
    if (cycle >= end)
      throw std::runtime_error("the register at " + std::to_string(offset) + " does not answer");
  }

  Vlandmarks top;
  std::mt19937 random, delays;
  std::uniform_int_distribution<std::uint32_t> delay{0, 0}; // cycles before each command
  const bool stalls;
  std::vector<std::uint8_t> to_send;
  std::size_t sent = 0, place = 0; // bytes sent; bytes that can be received, 0: idle
  bool failed = false, end_sent = true, end_seen = true; // end: TLAST
};

void get(void *data, std::size_t size) {
  if (size && std::fread(data, 1, size, stdin) != size) throw Closed();
}

void put(const void *data, std::size_t size) { std::fwrite(data, 1, size, stdout); }

template <typename T>
void put(T value) {
  put(&value, sizeof value);
}

template <typename T>
std::vector<T> get_many(std::size_t count) {
  std::vector<T> values(count);
  get(values.data(), count * sizeof(T));
  return values;
}

void obey(Shell &shell) {
  char command;
  std::uint32_t a, b;
  get(&command, 1);
  get(&a, 4);
  get(&b, 4);
  if (std::strchr("wrsgax", command)) shell.pass();
  switch (command) {
  case 'w': shell.write(a, b); break;
  case 'r': put(shell.read(a)); break;
  case 'W':
    for (auto value : get_many<std::uint32_t>(b)) {
      shell.pass();
      shell.write(a, value);
    }
    break;
  case 'R':
    for (std::uint32_t i = 0; i < b; i++) {
      shell.pass();
      put(shell.read(a));
    }
    break;
  case 's': {
    if (a % INPUT_BYTES) throw std::runtime_error("no whole words to send");
    shell.send(get_many<std::uint8_t>(a), !b);
    break;
  }
  case 'g': shell.receive(a, !b); break;
  case 'a': put(std::uint32_t(shell.run(a, b))); break;
  case 'd':
    put(std::uint32_t(shell.received.size()));
    put(shell.received.data(), shell.received.size());
    break;
  case 'p': shell.set_delay(a, b, get_many<std::uint32_t>(1)[0]); break;
  case 'i': put(std::uint32_t(shell.interrupt())); break;
  case 'x': shell.reset(); break;
  case 'c':
    put(shell.cycle);
    put(shell.frame_end);
    break;
  default: throw std::runtime_error(std::string("unknown command ") + command);
  }
  std::fflush(stdout);
}

void simulate(int argc, char **argv) {
  const bool stalls = argc > 2 && std::string(argv[1]) == "--stall-seed";
  const unsigned seed = stalls ? std::stoul(argv[2]) : 0;
  // Memory files are named relative to the design's folder.
  fs::current_path(fs::canonical(argv[0]).parent_path() / DESIGN_FOLDER);
  VerilatedContext context;
  context.commandArgs(argc, argv);
  Shell shell(&context, stalls, seed);
  for (;;) obey(shell);
}

} // namespace

int main(int argc, char **argv) {
  try {
    simulate(argc, argv);
  } catch (const Closed &) {
    return 0;
  } catch (const std::exception &error) {
    std::fprintf(stderr, "simulator: %s\n", error.what());
    return 1;
  }
}
