// train: what a config describes, from nothing or from the newest checkpoint.
#include <memory>

#include "base/text.h"
#include "trainer/commands/command.h"
#include "trainer/commands/rank_job.h"
#include "trainer/run/run.h"
#include "trainer/run/stop_request.h"

namespace lmtrain {
namespace {

ExitCode train(const ConfigArguments& arguments, const CommandLine& line) {
  catch_stop_signals();
  return run_as_rank(arguments, [&](const LoadedConfig& loaded, Launch& launch) {
    return run_training(loaded, join(line, " "), launch);
  });
}

}  // namespace

Command add_train(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "train", "Train, or continue, what a config describes (train may be left out)");
  const auto arguments = std::make_shared<ConfigArguments>();
  add_config_arguments(app, *arguments);
  return {.app = app,
          .examples = {"lmtrain configs/quickstart.yaml",
                       "lmtrain train configs/quickstart.yaml train.steps=1000 optimizer.lr=3e-4",
                       "mpirun -n 8 lmtrain configs/gpt2-small.yaml parallel.zero=1"},
          .synonyms = {config_words(),
                       {{"resume", "continue"},
                        {},
                        "a run continues by itself; the setting run.resume says from where"}},
          .run = [arguments](const CommandLine& line) { return train(*arguments, line); }};
}

}  // namespace lmtrain
