// How an attempt of a run ended, in ending.json. An attempt that was killed leaves none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"
#include "trainer/config/run_folder.h"

namespace lmtrain {

struct RunEnding {
  ExitCode code = ExitCode::kDone;
  std::string reason;  // for people, one line
  std::string host;    // of the rank that wrote it
  int64_t rank = 0;
  std::string at;  // "2026-01-31T12:00:00Z"
};

// Writes it for this rank, now. The first ending of an attempt stays: what ranks find while a job
// is being ended is its consequence. A folder that cannot be written is no further error.
void write_ending(const RunFolder& folder, ExitCode code, const std::string& reason, int64_t rank);
// Nothing where there is none that can be read.
std::optional<RunEnding> load_ending(const RunFolder& folder);

}  // namespace lmtrain
