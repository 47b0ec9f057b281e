// Pauses in hours in which the grid emits much (energy.schedule). Rank 0 looks, and the others do
// what it finds.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "energy/energy_config.h"
#include "energy/grid/intensity_series.h"

namespace lmtrain {

class Pauses {
 public:
  // `paused_before`: the seconds for which pauses have delayed the run so far. Throws ConfigError
  // where the series cannot be read.
  Pauses(const EnergyConfig& config, double paused_before);

  // Whether the run is to pause at this Unix time; looks once in a second. A file that has changed
  // is read again; one that has become unreadable counts as it was, with a warning.
  bool is_due(double now);
  void add(double seconds) { paused_ += seconds; }

  PauseMode mode() const { return config_.schedule.mode; }
  // "the grid emits 412 gCO2e/kWh, more than energy.schedule.pause_above = 300".
  std::string reason(double now) const;
  // When the run goes on, as far as the series says: in the next hour without a pause, or when
  // max_delay is used up; Unix time.
  double next_start(double now) const;
  bool next_is_cleaner(double now) const;

 private:
  double next_clean_hour(double now) const;
  double left() const;
  void read_again();

  EnergyConfig config_;
  std::filesystem::path file_;
  std::optional<IntensitySeries> series_;
  std::filesystem::file_time_type written_{};
  double paused_;
  bool is_gone_ = false;   // the file, which has been said
  double looked_ = -1e18;  // when is_due() looked last
  bool was_due_ = false;
};

}  // namespace lmtrain
