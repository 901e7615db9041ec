// SPDX-License-Identifier: Apache-2.0
// In place of the vendor's header: streams of limited depth between threads. Processes that only
// read and write such streams stop in the same state whatever their speeds, so a run that ends
// shows that the depths suffice in hardware too.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <string>

namespace hls {

inline std::atomic<long> moves{0}; ///< reads and writes of all streams

template <typename T>
class stream {
public:
  explicit stream(const std::string &name, size_t depth = size_t(-1))
      : name_(name), depth_(depth) {}

  void write(const T &word) {
    std::unique_lock<std::mutex> lock(mutex_);
    wait(lock, "full", [&] { return words_.size() < depth_; });
    words_.push_back(word);
    moved_.notify_all();
  }

  T read() {
    std::unique_lock<std::mutex> lock(mutex_);
    wait(lock, "empty", [&] { return !words_.empty(); });
    const T word = words_.front();
    words_.pop_front();
    moved_.notify_all();
    return word;
  }

  size_t size() const { return words_.size(); }

private:
  /// Ends the program when nothing has moved anywhere for a while.
  template <typename Ready>
  void wait(std::unique_lock<std::mutex> &lock, const char *state, Ready ready) {
    for (long before = moves; !moved_.wait_for(lock, std::chrono::seconds(20), ready);) {
      if (before == moves) {
        std::printf("deadlock: %s is %s\n", name_.c_str(), state);
        std::fflush(stdout);
        std::_Exit(1);
      }
      before = moves;
    }
    moves++;
  }

  std::string name_;
  size_t depth_;
  std::deque<T> words_;
  std::mutex mutex_;
  std::condition_variable moved_;
};

} // namespace hls
