#include "trainer/run/measured_times.h"

#include <algorithm>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/median.h"
#include "base/text.h"

namespace lmtrain {
namespace {

double median_or_zero(const std::vector<double>& values) {
  return values.empty() ? 0.0 : median(values);
}

}  // namespace

MeasuredTimes measured_times(const RunFolder& folder) {
  if (!std::filesystem::exists(folder.metrics())) {
    throw DataError(
        cat(folder.path.string(), " is not the folder of a run (it has no metrics.jsonl)"));
  }
  std::vector<double> steps, stalls, works, persists, validations;
  MeasuredTimes times;
  std::istringstream lines(read_file(folder.metrics()));
  for (std::string text; std::getline(lines, text);) {
    const auto line = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!line.is_object()) continue;
    const auto number = [&](const char* key) {
      constexpr double kMost = 1e15;
      const double value =
          line.contains(key) && line[key].is_number() ? line[key].get<double>() : 0;
      return std::clamp(value, 0.0, kMost);
    };
    if (line.contains("step_seconds") && number("step_seconds") > 0)
      steps.push_back(number("step_seconds"));
    if (line.contains("validation_seconds")) validations.push_back(number("validation_seconds"));
    if (!line.contains("checkpoint_bytes")) continue;
    times.checkpoint_bytes = number("checkpoint_bytes");
    stalls.push_back(number("stall_seconds"));
    works.push_back(number("work_seconds"));
    persists.push_back(number("persist_seconds"));
  }
  times.num_steps = static_cast<int64_t>(steps.size());
  times.num_saves = static_cast<int64_t>(stalls.size());
  times.num_validations = static_cast<int64_t>(validations.size());
  times.step = median_or_zero(steps);
  times.stall = median_or_zero(stalls);
  times.work = median_or_zero(works);
  times.persist = median_or_zero(persists);
  times.validation = median_or_zero(validations);
  times.all_validations = std::accumulate(validations.begin(), validations.end(), 0.0);
  return times;
}

}  // namespace lmtrain
