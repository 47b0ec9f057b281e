// A timeline of one rank: spans on a few lanes, kept in memory and written in the format of
// Chrome's trace viewer, which chrome://tracing and ui.perfetto.dev show.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace lmtrain {

// One activity on a lane, with its begin and end in seconds of monotonic_seconds(). The spans of a
// lane nest or follow one another.
struct TraceSpan {
  std::string_view name;      // `name` and `category` must point to static text
  std::string_view category;  // "phase", "operation"
  int lane = 0;
  double begin_seconds = 0;
  double end_seconds = 0;
  // The next three are set for operations of a communicator only; axis is "" for other spans.
  std::string axis;
  int64_t bytes = 0;
  int64_t sequence = 0;
};

// Any thread may add spans. Beyond the capacity, the oldest spans are dropped.
class Trace {
 public:
  static constexpr size_t kCapacity = size_t{1} << 17;  // about 15 MB in memory, 25 MB as a file
  // The lanes that every rank has.
  static constexpr int kTraining = 0;
  static constexpr int kCommunication = 1;

  explicit Trace(int rank, size_t capacity = kCapacity);

  // Returns the number of the lane with this name; makes the lane when there is none.
  int lane(const std::string& name);
  // A span that cannot be stored counts as dropped.
  void add(TraceSpan span) noexcept;
  void add_dropped(int64_t count) noexcept;
  int64_t num_dropped() const;
  // `source` is called before each write(), to add the spans that it has buffered.
  void add_source(std::function<void(Trace&)> source);

  // Writes the file durably (durable_file.h). Throws IoError.
  void write(const std::filesystem::path& path);

 private:
  std::string to_json() const;

  const int rank_;
  const size_t capacity_;
  const int64_t zero_;  // nanoseconds, added to every time
  mutable std::mutex mutex_;
  std::vector<std::string> lanes_ = {"training", "communication"};
  std::deque<TraceSpan> spans_;
  int64_t num_dropped_ = 0;
  std::vector<std::function<void(Trace&)>> sources_;
};

}  // namespace lmtrain
