// restore-caps: sets back the power caps of runs that were killed.
#include <iostream>

#include "base/text.h"
#include "energy/caps/held_caps.h"
#include "trainer/commands/command.h"

namespace lmtrain {
namespace {

struct Options {
  std::string record;
};

void restore_caps(const Options& options) {
  PowerKnobs knobs(SensorRoots{});
  std::vector<RestoredCaps> all;
  if (options.record.empty()) {
    all = restore_left_caps(knobs, kCapRecords);
  } else if (const auto one = restore_when_released(knobs, options.record)) {
    all.push_back(*one);
  }
  std::string failure;
  for (const RestoredCaps& one : all) {
    std::cout << one.text << "\n";
    if (one.state == RestoredCaps::State::kFailed) failure = one.text;
  }
  if (!failure.empty()) throw IoError(failure);
  if (all.empty()) std::cout << "no run has left a power cap on this node\n";
}

}  // namespace

Command add_restore_caps(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "restore-caps",
      "Set back what killed runs have capped on this node (energy.max_slowdown), as in an epilog");
  const auto options = std::make_shared<Options>();
  app->add_option("--when-released", options->record,
                  cat("Wait for the run that holds this record of ", kCapRecords,
                      ", and set back that one; each run starts this for itself"));
  return {.app = app, .examples = {"lmtrain restore-caps"}, .run = run_with(options, restore_caps)};
}

}  // namespace lmtrain
