// What a batch system has measured of a run's jobs, to stand beside lmtrain's own figure.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "energy/report/report.h"

namespace lmtrain {

// Joules by job id, of what `sacct --duplicates --noheader --parsable2
// --format=JobID,ConsumedEnergyRaw` prints on a Slurm with acct_gather_energy. A requeued job has
// several lines, which count together; of its parts the numbered steps count, else the batch
// script, whose energy a step's contains. Throws DataError for a line in another form, with its
// number.
std::map<std::string, double> parse_sacct(std::string_view text);

// By job, in the order of its first attempt, for jobs of which both have figures.
std::vector<BatchEnergy> compare_with_batch(const std::map<std::string, double>& of_system,
                                            const std::vector<AttemptEnergy>& attempts);
// Of the file, where there is one; one that is damaged is left out with a warning.
std::vector<BatchEnergy> load_batch_energy(const std::filesystem::path& sacct,
                                           const std::vector<AttemptEnergy>& attempts);

}  // namespace lmtrain
