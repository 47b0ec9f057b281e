#include "trainer/run/run_pauses.h"

#include <chrono>
#include <cstdlib>
#include <thread>

#include "base/clock.h"
#include "base/durable_file.h"
#include "base/log.h"
#include "base/text.h"

namespace lmtrain {
namespace {

double now() { return clock_seconds(CLOCK_REALTIME); }

}  // namespace

RunPauses::RunPauses(const EnergyConfig& config, const RunFolder& folder, double paused_before,
                     Launch& launch)
    : folder_(folder), launch_(launch) {
  launch.first_works([&] { pauses_.emplace(config, paused_before); });
}

bool RunPauses::is_due() { return pauses_ && pauses_->is_due(now()); }

std::string RunPauses::say(int64_t done) {
  std::string reason = "the grid emits more than energy.schedule.pause_above";
  launch_.first_works([&] {
    const std::string until = utc_text(pauses_->next_start(now()));
    const bool is_cleaner = pauses_->next_is_cleaner(now());
    reason = pauses_->reason(now());
    if (pauses_->mode() == PauseMode::kStop) {
      write_file_durably(folder_.resume_at(), until + "\n");
      const char* const wanted = std::getenv("LMTRAIN_RESUME_AT");
      if (wanted != nullptr && *wanted != '\0') write_file_durably(wanted, until + "\n");
    }
    log_info(cat("pausing after step ", done, " because ", reason,
                 is_cleaner ? "; a cleaner hour is expected at "
                            : "; energy.schedule.max_delay will be used up at ",
                 until));
  });
  return reason;
}

void RunPauses::wait(PhaseTracker& phases, const std::function<void()>& look) {
  const PhaseScope scope(phases, Phase::kPaused);
  const double begin = monotonic_seconds();
  double counted = begin;
  while (launch_.any(is_due())) {
    look();
    launch_.activity().note_progress();  // a pause is no hang
    std::this_thread::sleep_for(std::chrono::seconds(1));
    const double seconds = monotonic_seconds();
    if (pauses_) pauses_->add(seconds - counted);
    counted = seconds;
  }
  if (launch_.rank() == 0)
    log_info(cat("going on after a pause of ", human_duration(monotonic_seconds() - begin)));
}

}  // namespace lmtrain
