#include "parallel/cuda/stream_trace.h"

#include <utility>

#include "base/phase.h"

namespace lmtrain {
namespace {

// Distances between events are floats of milliseconds; after this long, they lose a microsecond.
constexpr double kReferenceSeconds = 10;
// The most operations that may be under way at once; beyond it, the oldest is dropped.
constexpr size_t kMostSpans = 4096;

}  // namespace

StreamTrace::StreamTrace(Trace& trace, const std::string& lane, c10::DeviceIndex device_index)
    : lane_(trace.lane(lane)),
      idle_stream_(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device_index)) {}

void StreamTrace::renew_reference() {
  auto reference = std::make_shared<Reference>();
  const double before = monotonic_seconds();
  reference->event.record(idle_stream_);
  reference->event.synchronize();
  reference->seconds = (before + monotonic_seconds()) / 2;
  reference_ = std::move(reference);
}

void StreamTrace::begin(const c10::cuda::CUDAStream& stream) {
  const std::lock_guard lock(mutex_);
  if (!reference_ || monotonic_seconds() - reference_->seconds > kReferenceSeconds)
    renew_reference();
  next_ = Span{};
  next_.begin.record(stream);
}

void StreamTrace::end(const c10::cuda::CUDAStream& stream, const Operation& operation) {
  const std::lock_guard lock(mutex_);
  next_.end.record(stream);
  next_.operation = operation;
  next_.reference = reference_;
  passing_.push_back(std::move(next_));
  if (passing_.size() <= kMostSpans) return;
  passing_.pop_front();
  ++num_dropped_;
}

void StreamTrace::drain(Trace& trace) {
  const std::lock_guard lock(mutex_);
  while (!passing_.empty() && passing_.front().end.query()) {
    const Span& span = passing_.front();
    const auto seconds = [&](const Event& event) {
      return span.reference->seconds + 1e-3 * span.reference->event.elapsed_time(event);
    };
    trace.add(span_of(span.operation, lane_, seconds(span.begin), seconds(span.end)));
    passing_.pop_front();
  }
  trace.add_dropped(std::exchange(num_dropped_, 0));
}

}  // namespace lmtrain
