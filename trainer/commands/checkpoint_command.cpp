// checkpoint: list, verify, diff and merge.
#include <iostream>

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/text.h"
#include "base/yaml_reader.h"
#include "energy/amount_text.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/commands/command.h"
#include "trainer/commands/result_lines.h"
#include "trainer/interchange/merge.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

// The checkpoints of a run, newest first, or the one that the path is. Throws CheckpointError where
// there is none.
std::vector<fs::path> checkpoints_at(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() != fs::file_type::not_found && !fs::is_directory(status)) {
    throw CheckpointError(cat("there is no folder ", one_line(path.string()),
                              "; name a checkpoint's folder or a run's"));
  }
  if (fs::exists(path / "manifest.json")) return {path};
  for (const fs::path& folder : {path / "checkpoints", path}) {
    const std::vector<fs::path> found = list_checkpoints(folder);
    if (!found.empty()) return found;
  }
  return {resolve_checkpoint(path)};  // which says what is wrong with it
}

int64_t bytes_of(const Manifest& manifest) {
  int64_t bytes = 0;
  for (const auto& file : manifest.files) bytes += file.bytes;
  return bytes;
}

bool has_optimizer(const Manifest& manifest) {
  for (const auto& tensor : manifest.tensors)
    if (tensor.group != "weights") return true;
  return false;
}

struct ListOptions {
  std::string path;
  bool json = false;
};

void print_line(const fs::path& path, const Manifest& manifest) {
  const CheckpointState& state = manifest.state;
  std::cout << path.string() << "  step " << with_commas(state.step) << "  tokens "
            << with_commas(state.tokens) << "  validation loss "
            << (state.validation_loss ? fixed(*state.validation_loss, 4) : "-") << "  "
            << human_bytes(bytes_of(manifest)) << (has_optimizer(manifest) ? "" : "  weights only")
            << "\n";
}

void print_json(const fs::path& path, const Manifest& manifest) {
  const CheckpointState& state = manifest.state;
  nlohmann::ordered_json loss;
  if (state.validation_loss) loss = *state.validation_loss;
  std::cout << json_line({{"checkpoint", path.string()},
                          {"step", state.step},
                          {"tokens", state.tokens},
                          {"validation_loss", loss},
                          {"bytes", bytes_of(manifest)},
                          {"files", manifest.files.size()},
                          {"has_optimizer", has_optimizer(manifest)},
                          {"ranks", state.num_ranks},
                          {"joules", state.joules}})
            << "\n";
}

void list(const ListOptions& options) {
  for (const fs::path& path : checkpoints_at(options.path)) {
    try {
      const Manifest manifest = read_manifest(path);
      options.json ? print_json(path, manifest) : print_line(path, manifest);
    } catch (const CheckpointError& error) {
      log_warn(error.what());
    }
  }
}

struct VerifyOptions {
  std::string path;
};

ExitCode verify(const VerifyOptions& options) {
  bool all = true;
  for (const fs::path& path : checkpoints_at(options.path)) {
    try {
      const Manifest manifest = verify_checkpoint(path, CheckpointCheck::kFilesAndValues);
      std::cout << path.string() << ": whole, " << human_bytes(bytes_of(manifest)) << "\n";
    } catch (const CheckpointError& error) {
      std::cout << path.string() << ": damaged: " << printable(error.what()) << "\n";
      all = false;
    }
  }
  return all ? ExitCode::kDone : ExitCode::kCheckpoint;
}

struct DiffOptions {
  std::string first;
  std::string second;
};

ExitCode diff(const DiffOptions& options) {
  const CheckpointDifference difference =
      compare_checkpoints(resolve_checkpoint(options.first), resolve_checkpoint(options.second));
  for (const std::string& line : difference.state) std::cout << line << "\n";
  for (const ConfigChange& change : difference.config)
    std::cout << change.key << ": " << change.before << " and " << change.now << "\n";
  for (const TensorDifference& tensor : difference.tensors) {
    std::cout << tensor.name << ": ";
    if (tensor.largest) {
      std::cout << "differs by at most " << three_digits(*tensor.largest) << ", "
                << three_digits(100 * *tensor.relative) << "% of its norm\n";
    } else {
      std::cout << tensor.problem << "\n";
    }
  }
  std::cout << counted(static_cast<int64_t>(difference.num_equal), "tensor")
            << " equal to the bit, "
            << counted(static_cast<int64_t>(difference.tensors.size()), "tensor") << " different\n";
  return difference.tensors.empty() ? ExitCode::kDone : ExitCode::kFailure;
}

struct MergeOptions {
  std::vector<std::string> checkpoints;
  std::string out;
};

void merge(const MergeOptions& options) {
  std::vector<fs::path> paths;
  for (const std::string& path : options.checkpoints) paths.push_back(resolve_checkpoint(path));
  merge_checkpoints(paths, options.out);
  std::cout << options.out << ": the mean weights of "
            << counted(static_cast<int64_t>(paths.size()), "checkpoint") << "\n";
}

Command add_list(CLI::App& program) {
  CLI::App* const app =
      program.add_subcommand("list", "List the checkpoints of a run, newest first");
  const auto options = std::make_shared<ListOptions>();
  app->add_option("RUN", options->path, "Folder of a run or of one checkpoint")->required();
  app->add_flag("--json", options->json, "One line of JSON for each checkpoint");
  return {.app = app,
          .examples = {"lmtrain checkpoint list runs/quickstart"},
          .run = run_with(options, list)};
}

Command add_verify(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "verify",
      "Check every byte and value of a run's checkpoints; exit code 66 if one is damaged");
  const auto options = std::make_shared<VerifyOptions>();
  app->add_option("PATH", options->path, "Folder of a run or of one checkpoint")->required();
  return {.app = app,
          .examples = {"lmtrain checkpoint verify runs/quickstart"},
          .run = [options](const CommandLine&) { return verify(*options); }};
}

Command add_diff(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "diff", "Show what differs between two checkpoints; exit code 0 if no tensor does, else 1");
  const auto options = std::make_shared<DiffOptions>();
  app->add_option("FIRST", options->first, "A checkpoint, or a run for its newest")->required();
  app->add_option("SECOND", options->second, "The other")->required();
  return {.app = app,
          .examples = {"lmtrain checkpoint diff runs/a runs/b"},
          .run = [options](const CommandLine&) { return diff(*options); }};
}

Command add_merge(CLI::App& program) {
  CLI::App* const app =
      program.add_subcommand("merge",
                             "Write the mean weights of checkpoints of one model, or one without "
                             "its optimizer");
  const auto options = std::make_shared<MergeOptions>();
  app->add_option("CHECKPOINT", options->checkpoints, "Checkpoints, or runs for their newest")
      ->required();
  app->add_option("--out", options->out, "Folder to write, which must not hold anything")
      ->required();
  return {.app = app,
          .examples = {"lmtrain checkpoint merge runs/a/checkpoints/step-* --out merged"},
          .run = run_with(options, merge)};
}

}  // namespace

Command add_checkpoint(CLI::App& program) {
  CLI::App* const app =
      program.add_subcommand("checkpoint", "List, verify, compare and merge checkpoints");
  app->require_subcommand(1);
  return {.app = app,
          .examples = {"lmtrain checkpoint list runs/quickstart"},
          .parts = {add_list(*app), add_verify(*app), add_diff(*app), add_merge(*app)}};
}

}  // namespace lmtrain
