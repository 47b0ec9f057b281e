// A file of the grid's intensities that is written anew while a run goes on, such as each day's
// forecast.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "energy/energy_config.h"
#include "energy/grid/intensity_series.h"
#include "parallel/launch.h"

namespace lmtrain {

class RenewedSeries {
 public:
  // Looks after the file that energy is counted by (price_file), if there is one.
  explicit RenewedSeries(const EnergyConfig& config);

  // Whether it was written anew since it was read last, and can be read; on rank 0. It looks at
  // most once a second, and warns of a file that cannot be read.
  bool is_renewed();
  // Collective, where rank 0 found it renewed.
  std::shared_ptr<const IntensitySeries> take(Launch& launch);

 private:
  std::filesystem::path file_;
  std::filesystem::file_time_type written_;
  double looked_ = 0;
  std::string text_;  // of the new file
};

}  // namespace lmtrain
