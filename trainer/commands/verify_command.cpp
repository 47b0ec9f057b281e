// verify: whether a layout computes what one rank does.
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

#include <unistd.h>

#include "base/error.h"
#include "base/text.h"
#include "trainer/commands/command.h"
#include "trainer/commands/rank_job.h"
#include "trainer/verify/verify.h"

namespace lmtrain {
namespace {

struct Options {
  ConfigArguments config;
  int64_t ranks = 0;  // 0: as many as the launcher started
  int64_t steps = 5;
};

// Starts this command line again as `num_ranks` ranks on this machine. Throws where that fails, and
// never returns.
[[noreturn]] void start_under_mpirun(int64_t num_ranks, const CommandLine& line) {
  const std::string ranks = cat(num_ranks);
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  std::vector<const char*> words = {"mpirun", "--oversubscribe", "-n", ranks.c_str(),
                                    program.c_str()};
  for (size_t i = 1; i < line.size(); ++i) words.push_back(line[i].c_str());
  words.push_back(nullptr);
  execvp(words[0], const_cast<char**>(words.data()));
  throw IoError(cat("mpirun cannot be started: ", std::strerror(errno)));
}

ExitCode verify(const Options& options, const CommandLine& line) {
  if (options.ranks > 1 && !Launch::was_started_by_launcher())
    start_under_mpirun(options.ranks, line);
  return run_as_rank(options.config, [&](const LoadedConfig& loaded, Launch& launch) {
    launch.together([&] {
      if (options.ranks == 0 || options.ranks == launch.size()) return;
      throw ConfigError(cat("--ranks ", options.ranks, ", but this job has ", launch.size(),
                            " ranks; leave it out under mpirun"));
    });
    return verify_layout(loaded, options.steps, launch);
  });
}

}  // namespace

Command add_verify(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "verify", "Train a few steps on one rank and in the config's layout, and compare");
  const auto options = std::make_shared<Options>();
  add_config_arguments(app, options->config);
  app->add_option("--ranks", options->ranks,
                  "Ranks to start on this machine; leave it out under mpirun, which starts them")
      ->check(CLI::Range(1, 1 << 16));
  app->add_option("--steps", options->steps, "Steps of training")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  return {.app = app,
          .examples = {"lmtrain verify configs/quickstart.yaml --ranks 2 parallel.tensor=2",
                       "mpirun -n 8 lmtrain verify configs/quickstart.yaml parallel.zero=2"},
          .synonyms = {config_words(),
                       {{"n", "np", "num_ranks", "world_size", "nproc_per_node"}, {"--ranks"}, ""},
                       {{"num_steps", "max_steps", "iters"}, {"--steps"}, ""}},
          .run = [options](const CommandLine& line) { return verify(*options, line); }};
}

}  // namespace lmtrain
