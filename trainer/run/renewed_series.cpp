#include "trainer/run/renewed_series.h"

#include <system_error>

#include "base/clock.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "energy/grid/price_file.h"

namespace lmtrain {

RenewedSeries::RenewedSeries(const EnergyConfig& config) : file_(price_file(config)) {
  std::error_code ignored;
  written_ = std::filesystem::last_write_time(file_, ignored);
}

bool RenewedSeries::is_renewed() {
  constexpr double kLookSeconds = 0.9;
  if (file_.empty() || monotonic_seconds() - looked_ < kLookSeconds) return false;
  looked_ = monotonic_seconds();
  std::error_code error;
  const auto written = std::filesystem::last_write_time(file_, error);
  if (error || written == written_) return false;
  written_ = written;
  try {
    std::string text = read_file(file_);
    IntensitySeries::parse(text, file_.string());
    text_ = std::move(text);
    return true;
  } catch (const Error& problem) {
    log_warn(cat("energy is counted by the series as it was: ", problem.what()));
    return false;
  }
}

std::shared_ptr<const IntensitySeries> RenewedSeries::take(Launch& launch) {
  const std::string text = broadcast_text(launch.world(), text_);
  return std::make_shared<const IntensitySeries>(IntensitySeries::parse(text, file_.string()));
}

}  // namespace lmtrain
