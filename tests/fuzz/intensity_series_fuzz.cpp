// Carbon intensities over time, saved plans and Slurm's figures: from any bytes one of them, or a
// DataError.
#include <string>

#include "base/error.h"
#include "energy/grid/intensity_series.h"
#include "energy/report/batch_energy.h"
#include "energy/report/plan_factors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lmtrain;
  const std::string text(reinterpret_cast<const char*>(data), size);
  try {
    const IntensitySeries series = IntensitySeries::parse(text, "x");
    const IntensitySeries::Span& first = series.spans().front();
    series.mean(first.begin - 1, series.spans().back().end + 1);
    if (first.end <= first.begin || !series.at(first.begin)) __builtin_trap();
  } catch (const DataError&) {
  }
  try {
    parse_plan(text);
  } catch (const DataError&) {
  }
  try {
    for (const auto& [job, joules] : parse_sacct(text))
      if (job.empty() || !(joules > 0)) __builtin_trap();
  } catch (const DataError&) {
  }
  return 0;
}
