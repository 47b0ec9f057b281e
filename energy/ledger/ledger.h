// The energy ledger is an append-only file of each rank. It holds every reading of every attempt of
// a run (an attempt is one launch; a resumed run has several). It survives a kill at any moment,
// and reports are made from ledgers alone.
//
// Each line is one JSON object, written with one call:
//   {"attempt":1,"rank":0,...,"sensors":[...]}
//       the start of an attempt
//   {"t":1.0,"step":3,...,"read":[[1.0,8.2,4.1,17.3],"Permission denied"]}
//       a sample; "read" has, for each sensor, [seconds, joules, low, high], with a doubt behind
//       them where there is one, or why it is missing
//   {"stop":61.2}
//       the attempt ended in order
//   {"mended":0}
//       lines could be written again after a failure; the number is that of the lines lost
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/batch_job.h"
#include "base/durable_file.h"
#include "base/phase.h"
#include "energy/grid/energy_price.h"
#include "energy/meters/meter.h"
#include "energy/meters/node_use.h"

namespace lmtrain {

// Where a rank runs.
struct RankPlace {
  int64_t rank = 0;
  int64_t num_ranks = 1;
  int64_t node = 0;  // the number of its node within the job
  int64_t local_rank = 0;
  std::string host;
  int64_t local_size = 1;  // ranks of the job on its node
};

struct AttemptStart {
  int64_t attempt = 1;
  RankPlace place;
  double wall_seconds = 0.0;         // Unix time
  int64_t first_step = 0;            // the first step that this attempt computes
  std::optional<EnergyPrice> price;  // none in ledgers of earlier versions
  std::optional<BatchJob> job;       // of the batch system; its end is not kept
  std::vector<MeterInfo> sensors;
};

struct EnergySample {
  double seconds = 0.0;        // since the process began, monotonic
  double wall_seconds = 0.0;   // Unix time, which may be set back
  double cpu_seconds = 0.0;    // of the rank's process since its first sample
  double meter_seconds = 0.0;  // CPU time of the power logger, which is a part of cpu_seconds
  double memory_bytes = 0.0;   // that the rank's process keeps
  // gCO2e/kWh of the grid since the last sample; nothing where no series says it.
  std::optional<double> grid_g_per_kwh;
  // Of the whole node, since the first sample; on the first rank of a node.
  std::optional<NodeUse> node;
  int64_t step = 0;                                // the step being computed
  std::array<double, kNumPhases> phase_seconds{};  // since the last sample
  std::vector<Reading> readings;                   // one for each sensor of the start
};

struct AttemptStop {
  double seconds = 0.0;
};

struct LedgerMend {
  int64_t lost_lines = 0;
};

using LedgerRecord = std::variant<AttemptStart, EnergySample, AttemptStop, LedgerMend>;

std::string to_line(const LedgerRecord& record);
// Throws DataError when `line` is not a record.
LedgerRecord parse_ledger_line(std::string_view line);

// FOLDER/rank-00000.jsonl
std::filesystem::path ledger_path(const std::filesystem::path& folder, int64_t rank);

// Appends records. When the disk is full, lines wait in memory until they can be written. If more
// than a few thousand wait, the oldest are dropped and counted as lost.
class LedgerWriter {
 public:
  // Opens or makes the file. Ends its last line if a crash tore it. Throws IoError.
  explicit LedgerWriter(const std::filesystem::path& path);

  void append(const LedgerRecord& record);
  void sync() noexcept { file_.sync(); }
  bool failing() const { return failing_; }

 private:
  AppendFile file_;
  bool failing_ = false;
  int64_t lost_lines_ = 0;
  std::deque<std::string> waiting_;
};

// Reads a ledger that may still be growing. A line that a crash or a full disk tore is skipped at
// the places where there can be one: at the end, before the start of an attempt, and before a mend.
// Any other line that is not a record throws DataError with file and line.
class LedgerReader {
 public:
  explicit LedgerReader(std::filesystem::path path) : path_(std::move(path)) {}

  // Visits the complete records that were added since the last call. Adds the position to a
  // DataError that `visit` throws.
  void read_new(const std::function<void(const LedgerRecord&)>& visit);
  // "PATH:LINE" of the last record visited.
  std::string position() const;

 private:
  void read_line(std::string_view line, const std::function<void(const LedgerRecord&)>& visit);

  std::filesystem::path path_;
  size_t offset_ = 0;
  int64_t line_ = 0;
  std::string torn_;  // the error of a line that may be torn, until the next record shows it
};

}  // namespace lmtrain
