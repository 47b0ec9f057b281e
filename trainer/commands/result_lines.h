// What the commands that take many texts write: one line of JSON for each text, in their order, on
// standard output; progress, rate and energy on standard error.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "parallel/launch.h"
#include "trainer/commands/command.h"
#include "trainer/inference/call_energy.h"
#include "trainer/inference/loaded_model.h"

namespace lmtrain {

// --energy and --region.
struct EnergyOptions {
  bool is_wanted = false;
  std::string region;
};
void add_energy_options(
    CLI::App* app, EnergyOptions& options,
    const std::string& text =
        "Add the energy and the emissions of this call: as a last line of JSON, {\"energy\": ..}, or "
        "for plain text and tables on standard error");
// Meters from now on, where that is wanted. Call it before the model is loaded. A region that is
// not known is refused, and so are ranks of several nodes: each node has meters of its own.
std::unique_ptr<CallEnergy> start_metering(const EnergyOptions& options, const Launch& launch);
// The same for a command of one process.
std::unique_ptr<CallEnergy> start_metering(const EnergyOptions& options);

// One line of JSON; bytes that are no UTF-8 become U+FFFD.
std::string json_line(const nlohmann::ordered_json& value);

// kText: for people, so that the energy does not come as JSON.
enum class OutputForm { kJson, kText };

class ResultLines {
 public:
  // `num_lines` will come. `energy` may be null.
  ResultLines(size_t num_lines, CallEnergy* energy, OutputForm form = OutputForm::kJson);

  // Writes the line of this place as soon as all before it are written. `num_tokens` were read or
  // written for it.
  void add(size_t place, std::string line, int64_t num_tokens);
  // The same for a text that has no line.
  void count(int64_t num_tokens);
  // Shows how far the work is, where no text has been finished.
  void add_tokens(int64_t num_tokens);
  // Says how fast it was, where there were several lines, and writes {"energy": ..} where that is
  // wanted.
  void finish();

 private:
  void show_progress() const;

  size_t num_lines_;
  CallEnergy* energy_;
  OutputForm form_;
  double begin_;
  int64_t num_tokens_ = 0;
  size_t num_added_ = 0;
  size_t num_written_ = 0;
  std::map<size_t, std::string> waiting_;
};

}  // namespace lmtrain
