#include "energy/report/batch_energy.h"

#include <algorithm>
#include <charconv>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

namespace lmtrain {
namespace {

struct PartOfJob {
  std::string job;   // "123", "123_4"
  std::string part;  // "" of the job itself, "batch", "extern", "0"
  double joules = 0;
};

PartOfJob parse_line(std::string_view line, int64_t number) {
  const size_t bar = line.find('|');
  const std::string_view id = line.substr(0, bar);
  const bool has_id = bar != std::string_view::npos && !id.empty() && id[0] >= '0' && id[0] <= '9';
  if (!has_id) {
    throw DataError(cat("line ", number, ": \"", line.substr(0, 60),
                        "\" is not JobID|ConsumedEnergyRaw, as `sacct --parsable2 --noheader "
                        "--format=JobID,ConsumedEnergyRaw` prints it"));
  }
  PartOfJob part;
  const size_t dot = id.find('.');
  part.job = id.substr(0, dot);
  if (dot != std::string_view::npos) part.part = id.substr(dot + 1);
  std::string_view value = line.substr(bar + 1);
  if (value.ends_with('|')) value.remove_suffix(1);  // of --parsable
  if (value.empty()) return part;
  const auto [at, error] = std::from_chars(value.data(), value.data() + value.size(), part.joules);
  const bool is_number = error == std::errc() && at == value.data() + value.size();
  if (!is_number || !(part.joules >= 0 && part.joules <= 1e15))
    throw DataError(cat("line ", number, ": \"", value.substr(0, 32), "\" are not joules"));
  return part;
}

struct Sums {
  double job = 0;
  double steps = 0;
  double batch = 0;
};

}  // namespace

std::map<std::string, double> parse_sacct(std::string_view text) {
  std::map<std::string, Sums> sums;
  int64_t number = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(text.size(), end + 1));
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    const PartOfJob part = parse_line(line, number);
    Sums& sum = sums[part.job];
    const bool is_step = !part.part.empty() && part.part[0] >= '0' && part.part[0] <= '9';
    if (is_step) {
      sum.steps += part.joules;
    } else if (part.part.empty()) {
      sum.job += part.joules;
    } else if (part.part == "batch") {
      sum.batch += part.joules;
    }
  }
  std::map<std::string, double> joules;
  for (const auto& [job, sum] : sums) {
    const double of_job = sum.steps > 0 ? sum.steps : sum.batch > 0 ? sum.batch : sum.job;
    if (of_job > 0) joules[job] = of_job;  // Slurm writes 0 where nothing is measured
  }
  return joules;
}

std::vector<BatchEnergy> compare_with_batch(const std::map<std::string, double>& of_system,
                                            const std::vector<AttemptEnergy>& attempts) {
  std::vector<BatchEnergy> compared;
  for (const AttemptEnergy& attempt : attempts) {
    if (!attempt.job) continue;
    const auto measured = of_system.find(attempt.job->id);
    if (measured == of_system.end()) continue;
    auto job = std::ranges::find(compared, attempt.job->id, &BatchEnergy::job);
    if (job == compared.end()) {
      compared.push_back({attempt.job->id, measured->second, 0, 0});
      job = compared.end() - 1;
    }
    job->joules += attempt.energy.joules;
    ++job->attempts;
  }
  return compared;
}

std::vector<BatchEnergy> load_batch_energy(const std::filesystem::path& sacct,
                                           const std::vector<AttemptEnergy>& attempts) {
  if (!std::filesystem::exists(sacct)) return {};
  try {
    return compare_with_batch(parse_sacct(read_file(sacct)), attempts);
  } catch (const DataError& error) {
    log_warn(cat(sacct.string(), ": ", error.what(), "; the report leaves Slurm's figures out"));
    return {};
  }
}

}  // namespace lmtrain
