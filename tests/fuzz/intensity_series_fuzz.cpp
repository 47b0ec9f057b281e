// Carbon intensities over time and saved plans: from any bytes a series or a plan, or a DataError.
#include <string>

#include "base/error.h"
#include "energy/grid/intensity_series.h"
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
  return 0;
}
