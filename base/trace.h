// What a rank did when: spans on a few lanes, kept in memory and written in the format of Chrome's
// trace viewer, which chrome://tracing and ui.perfetto.dev show.
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

// Something that a lane did from one time to another, in seconds of monotonic_seconds(). Spans of a
// lane nest or follow one another.
struct TraceSpan {
  std::string_view name;      // never freed, nor is `category`
  std::string_view category;  // "phase", "operation"
  int lane = 0;
  double begin_seconds = 0;
  double end_seconds = 0;
  // Of a group's operations; "" for other spans.
  std::string axis;
  int64_t bytes = 0;
  int64_t sequence = 0;
};

// Any thread may add. Of more spans than the capacity the newest are kept.
class Trace {
 public:
  static constexpr size_t kCapacity = size_t{1} << 17;  // about 15 MB, 25 MB as a file
  // The lanes that every rank has.
  static constexpr int kTraining = 0;
  static constexpr int kCommunication = 1;

  explicit Trace(int rank, size_t capacity = kCapacity);

  // The number of the lane of this name, which is made where there is none.
  int lane(const std::string& name);
  // What cannot be kept counts as dropped.
  void add(TraceSpan span) noexcept;
  void add_dropped(int64_t count) noexcept;
  int64_t num_dropped() const;
  // `source` is called before each writing, to add what it has held back.
  void add_source(std::function<void(Trace&)> source);

  // Durably. Throws IoError.
  void write(const std::filesystem::path& path);

 private:
  std::string to_json() const;

  const int rank_;
  const size_t capacity_;
  const int64_t zero_;  // nanoseconds, added to times
  mutable std::mutex mutex_;
  std::vector<std::string> lanes_ = {"training", "communication"};
  std::deque<TraceSpan> spans_;
  int64_t num_dropped_ = 0;
  std::vector<std::function<void(Trace&)>> sources_;
};

}  // namespace lmtrain
