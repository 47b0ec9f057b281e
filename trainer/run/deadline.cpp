#include "trainer/run/deadline.h"

#include <algorithm>

#include "base/clock.h"
#include "base/duration.h"
#include "base/log.h"
#include "base/phase.h"
#include "base/text.h"
#include "trainer/run/stop_request.h"

namespace lmtrain {
namespace {

constexpr double kLookSeconds = 0.2;
// For the report, the end of the process and a clock that differs.
constexpr double kAlways = 5.0;
// Steps and saves are not equally long.
constexpr double kReserve = 1.5;
// The last save may have to wait for one that is under way.
constexpr double kSaves = 2.0;

}  // namespace

double expected_save_seconds(double bytes) {
  constexpr double kBytesPerSecond = 100e6;
  return bytes / kBytesPerSecond;
}

std::optional<Deadline::End> Deadline::end_of(const RunConfig& config,
                                              const std::optional<BatchJob>& job) {
  const double now = monotonic_seconds();
  std::optional<End> end;
  if (job && job->end_unix_seconds) {
    end = End{now + *job->end_unix_seconds - clock_seconds(CLOCK_REALTIME),
              cat("the time of ", to_text(*job), " is nearly up")};
  }
  if (config.stop_after) {
    const double seconds = now - process_age_seconds() + *config.stop_after;
    if (!end || seconds < end->seconds) {
      end = End{seconds,
                cat("run.stop_after = ", duration_text(*config.stop_after), " is nearly reached")};
    }
  }
  return end;
}

Deadline::Deadline(const RunConfig& config, const std::optional<BatchJob>& job)
    : end_(end_of(config, job)), fixed_margin_(config.stop_before_end) {
  const bool is_off = fixed_margin_ && *fixed_margin_ == 0 && !config.stop_after;
  if (!end_ || is_off) return;
  watching_ = std::make_unique<RepeatingThread>(kLookSeconds, [this] {
    if (monotonic_seconds() < end_->seconds - margin_seconds()) return true;
    request_stop(end_->reason);
    return false;
  });
}

void Deadline::expect_save(double seconds) {
  if (!has_saved_) save_seconds_ = seconds;
}

void Deadline::note_save(double seconds) {
  save_seconds_ = has_saved_ ? std::max(save_seconds_.load(), seconds) : seconds;
  has_saved_ = true;
}

void Deadline::note_step(double seconds) {
  step_seconds_ = std::max(step_seconds_.load(), seconds);
}

double Deadline::margin_seconds() const {
  if (fixed_margin_) return *fixed_margin_;
  return kAlways + kReserve * (kSaves * save_seconds_ + step_seconds_);
}

}  // namespace lmtrain
