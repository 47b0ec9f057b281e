// Runs beside each other: what their configs differ in, and their losses by step, token, time and
// joule.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "energy/formats/formats.h"

namespace lmtrain {

struct ComparedRun {
  std::string name;       // its folder
  std::string tokenizer;  // hash of what it maps; "" where the run's records do not tell
  ReportedRun run;
};

// A key whose value is not the same in all configs; in the order of the description.
struct DifferentKey {
  std::string key;
  std::vector<std::string> values;  // of each run; "-" where its config is not there
};

struct Comparison {
  std::vector<ComparedRun> runs;
  std::vector<DifferentKey> differences;
  // The largest validation loss that all runs have reached (the smallest of each is at most this);
  // nothing where a run has no validation, and where tokenizers differ.
  std::optional<double> common_loss;
  // Then losses, which are of a token, say nothing about each other; bits per byte do.
  bool has_other_tokenizers() const;
  // "The energy of A and B is modelled, ..." where that of a run is mostly not measured; else "".
  std::string doubt_of_energy() const;
};

// Throws DataError for a folder that is no run's.
Comparison compare_runs(const std::vector<std::filesystem::path>& folders);

// What a run had spent when its validation loss first was at most `loss`.
struct Spent {
  int64_t step = 0;
  double tokens = 0;
  double seconds = 0;  // of all attempts until then
  double joules = 0;   // of the computers
};
std::optional<Spent> spent_until_loss(const ReportedRun& run, double loss);

inline constexpr const char* kOtherTokenizers =
    "The tokenizers differ, so a loss of a token is not the same thing in these runs: compare their bits "
    "per byte.";

// A page for a browser.
std::string to_html(const Comparison& comparison);

}  // namespace lmtrain
