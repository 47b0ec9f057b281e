// The system's clocks as seconds. For intervals see monotonic_seconds (phase.h).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <time.h>

namespace lmtrain {

// Seconds of CLOCK_REALTIME (since 1970), CLOCK_PROCESS_CPUTIME_ID or CLOCK_THREAD_CPUTIME_ID.
inline double clock_seconds(clockid_t clock) {
  struct timespec time = {};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// A Unix time as "2026-01-31T12:00:00Z"; and now.
std::string utc_text(double unix_seconds);
std::string utc_now();
// The Unix time of an ISO 8601 date and time such as "2026-01-31T12:00Z", "2026-01-31 12:00:00" or
// "2026-01-31T12:00:00.5+01:00", or of a date alone; UTC where no zone is named. Nothing for any
// other text.
std::optional<double> parse_time(std::string_view text);

// How long ago this process was started. 0 where the system does not tell.
double process_age_seconds();

}  // namespace lmtrain
