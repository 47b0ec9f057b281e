#include "base/trace.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "base/phase.h"
#include "base/text.h"

namespace lmtrain {
namespace {

std::string quoted(std::string_view text) { return nlohmann::json(text).dump(); }

// Whole nanoseconds keep spans that nest nested in the file.
int64_t nanoseconds(double seconds) { return std::llround(seconds * 1e9); }

// Returns the date at which the monotonic clock was zero. Adding it makes the times of several
// machines comparable, as far as their dates agree. It is taken modulo ten days, because viewers
// read times as doubles, whose resolution for full dates is only a quarter of a microsecond.
int64_t date_of_monotonic_zero() {
  constexpr int64_t kTenDays = int64_t{10} * 24 * 3600 * 1'000'000'000;
  int64_t best = 0;
  double least_delay = std::numeric_limits<double>::infinity();
  for (int i = 0; i < 8; ++i) {  // this thread may be stopped between two readings
    const double before = monotonic_seconds();
    const auto date = std::chrono::system_clock::now().time_since_epoch();
    const double delay = monotonic_seconds() - before;
    if (delay >= least_delay) continue;
    least_delay = delay;
    const int64_t now = std::chrono::duration_cast<std::chrono::nanoseconds>(date).count();
    best = now - now / kTenDays * kTenDays - nanoseconds(before + delay / 2);
  }
  return best;
}

// Writes microseconds, the format's unit, without rounding.
std::string microseconds(int64_t nanoseconds) {
  return cat(nanoseconds / 1000, ".", zero_padded(nanoseconds % 1000, 3));
}

std::string metadata(int rank, int lane, std::string_view name, const std::string& value) {
  return cat(R"({"ph":"M","pid":)", rank, R"(,"tid":)", lane, R"(,"name":)", quoted(name),
             R"(,"args":{"name":)", quoted(value), "}}");
}

std::string event(const TraceSpan& span, int rank, int64_t zero) {
  const int64_t begin = zero + nanoseconds(span.begin_seconds);
  const int64_t end = zero + nanoseconds(span.end_seconds);
  const bool has_axis = !span.axis.empty();
  const std::string name = has_axis ? cat(span.name, " ", span.axis) : std::string(span.name);
  std::string text =
      cat(R"({"ph":"X","pid":)", rank, R"(,"tid":)", span.lane, R"(,"name":)", quoted(name),
          R"(,"cat":)", quoted(span.category), R"(,"ts":)", microseconds(begin), R"(,"dur":)",
          microseconds(std::max(begin, end) - begin));
  if (has_axis) {
    text += cat(R"(,"args":{"axis":)", quoted(span.axis), R"(,"bytes":)", span.bytes,
                R"(,"sequence":)", span.sequence, "}");
  }
  return text + "}";
}

}  // namespace

Trace::Trace(int rank, size_t capacity)
    : rank_(rank), capacity_(capacity), zero_(date_of_monotonic_zero()) {}

int Trace::lane(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find(lanes_.begin(), lanes_.end(), name);
  const auto number = static_cast<int>(found - lanes_.begin());
  if (found == lanes_.end()) lanes_.push_back(name);
  return number;
}

void Trace::add(TraceSpan span) noexcept {
  const std::lock_guard lock(mutex_);
  try {
    spans_.push_back(std::move(span));
  } catch (const std::bad_alloc&) {
    ++num_dropped_;
  }
  if (spans_.size() <= capacity_) return;
  spans_.pop_front();
  ++num_dropped_;
}

void Trace::add_dropped(int64_t count) noexcept {
  const std::lock_guard lock(mutex_);
  num_dropped_ += count;
}

int64_t Trace::num_dropped() const {
  const std::lock_guard lock(mutex_);
  return num_dropped_;
}

void Trace::add_source(std::function<void(Trace&)> source) {
  const std::lock_guard lock(mutex_);
  sources_.push_back(std::move(source));
}

void Trace::write(const std::filesystem::path& path) {
  std::vector<std::function<void(Trace&)>> sources;
  {
    const std::lock_guard lock(mutex_);
    sources = sources_;
  }
  for (const auto& source : sources) source(*this);
  write_file_durably(path, to_json());
}

std::string Trace::to_json() const {
  std::unique_lock lock(mutex_);
  // Formatting takes a while. It works on a copy, so that the threads of the run need not wait.
  const std::deque<TraceSpan> spans = spans_;
  const std::vector<std::string> lanes = lanes_;
  const int64_t num_dropped = num_dropped_;
  lock.unlock();

  std::string text =
      cat(R"({"displayTimeUnit":"ms","otherData":{"dropped_spans":)", num_dropped,
          "},\"traceEvents\":[\n", metadata(rank_, 0, "process_name", cat("rank ", rank_)));
  for (size_t i = 0; i < lanes.size(); ++i)
    text += ",\n" + metadata(rank_, static_cast<int>(i), "thread_name", lanes[i]);
  for (const TraceSpan& span : spans) text += ",\n" + event(span, rank_, zero_);
  return text + "\n]}\n";
}

}  // namespace lmtrain
