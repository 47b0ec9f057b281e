// The energy ledger: an append-only file per rank that holds every reading of every attempt of a
// run (an attempt is one launch; a resumed run has several). It survives a kill at any moment, and
// reports are made from it alone.
//
// One JSON object a line, each written with one call:
//   {"attempt":1,"rank":0,...,"sensors":[...]}   the start of an attempt
//   {"t":1.0,"step":3,...,"read":[[1.0,8.2,4.1,17.3],"Permission denied"]}   a sample: for each
//   sensor
//       [seconds, joules, low, high] or why it is missing
//   {"stop":61.2}    the attempt ended in order
//   {"mended":0}     lines could be written again; so many were lost
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/durable_file.h"
#include "base/phase.h"
#include "energy/meter.h"

namespace lmtrain {

// Where a rank runs.
struct RankPlace {
  int64_t rank = 0;
  int64_t num_ranks = 1;
  int64_t node = 0;  // of the job's nodes
  int64_t local_rank = 0;
  std::string host;
};

struct AttemptStart {
  int64_t attempt = 1;
  RankPlace place;
  double wall_seconds = 0.0;  // Unix time
  int64_t first_step = 0;     // the step that this attempt begins with
  std::vector<MeterInfo> sensors;
};

struct EnergySample {
  double seconds = 0.0;        // since the attempt's start, monotonic
  double wall_seconds = 0.0;   // Unix time, which may jump
  double cpu_seconds = 0.0;    // of the rank's process since the attempt's start
  double meter_seconds = 0.0;  // CPU time of the power logger itself in that
  int64_t step = 0;            // the step under way
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
// Throws DataError when `line` is no record.
LedgerRecord parse_ledger_line(std::string_view line);

// FOLDER/rank-00000.jsonl
std::filesystem::path ledger_path(const std::filesystem::path& folder, int64_t rank);

// Appends records. A disk that is full ends nothing: lines wait in memory and are written when it
// works again; the oldest are dropped, and counted, beyond a few thousand.
class LedgerWriter {
 public:
  // Opens or makes the file; ends a line that a crash tore. Throws IoError.
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

// Reads a ledger that may still be growing. A line that a crash or a full disk tore is passed over
// where one can be: at the end, before the start of an attempt, before a mend. Anything else that
// is no record throws DataError naming file and line.
class LedgerReader {
 public:
  explicit LedgerReader(std::filesystem::path path) : path_(std::move(path)) {}

  // Visits the whole records added since the last call. A DataError of `visit` gets the position.
  void read_new(const std::function<void(const LedgerRecord&)>& visit);
  // "PATH:LINE" of the record visited last.
  std::string position() const;

 private:
  void read_line(std::string_view line, const std::function<void(const LedgerRecord&)>& visit);

  std::filesystem::path path_;
  size_t offset_ = 0;
  int64_t line_ = 0;
  std::string
      torn_;  // the complaint about the lines before, if the next record does not excuse them
};

}  // namespace lmtrain
