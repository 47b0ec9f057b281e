// inspect: what a checkpoint holds, and whether it is whole.
#include <iostream>

#include "base/text.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/commands/command.h"

namespace lmtrain {
namespace {

struct Options {
  std::string checkpoint;
  bool tensors = false;
};

int64_t num_weights(const Manifest& manifest) {
  int64_t count = 0;
  for (const auto& tensor : manifest.tensors) {
    int64_t numel = tensor.group == "weights" ? 1 : 0;
    for (const int64_t size : tensor.shape) numel *= size;
    count += numel;
  }
  return count;
}

void print_state(const std::filesystem::path& path, const Manifest& manifest) {
  const CheckpointState& s = manifest.state;
  int64_t bytes = 0;
  for (const auto& file : manifest.files) bytes += file.bytes;
  std::cout << "checkpoint        " << path.string() << " (verified)\n"
            << "step              " << s.step << "\n"
            << "parameters        " << with_commas(num_weights(manifest)) << "\n"
            << "files             " << manifest.files.size() << ", " << human_bytes(bytes) << "\n"
            << "precision         " << s.precision << "\n"
            << "ranks             " << s.num_ranks << "\n"
            << "built from        " << s.commit << ", " << s.build << "\n"
            << "tokenizer         " << s.tokenizer_hash << "\n"
            << "data fingerprint  " << s.data_fingerprint << "\n"
            << "so far            " << with_commas(s.tokens) << " tokens, "
            << human_duration(s.seconds) << ", " << fixed(s.joules / 3600, 3) << " Wh\n";
  // Ranks that are alike in a row have one line.
  for (size_t first = 0; first < s.ranks.size();) {
    size_t next = first + 1;
    while (next < s.ranks.size() && s.ranks[next] == s.ranks[first]) ++next;
    const std::string which =
        next == first + 1 ? cat("rank ", first) : cat("ranks ", first, " to ", next - 1);
    std::cout << which << std::string(which.size() < 18 ? 18 - which.size() : 1, ' ')
              << counted(s.ranks[first].threads, "thread") << " on "
              << counted(s.ranks[first].cores, "core") << ", " << s.ranks[first].cpu_capability
              << "\n";
    first = next;
  }
}

void print_tensors(const Manifest& manifest) {
  for (const auto& tensor : manifest.tensors) {
    std::vector<std::string> sizes;
    for (const int64_t size : tensor.shape) sizes.push_back(std::to_string(size));
    std::cout << tensor.group << "/" << tensor.name << "  [" << join(sizes, ", ") << "]  "
              << tensor.file << "\n";
  }
}

void inspect(const Options& options) {
  const std::filesystem::path path = resolve_checkpoint(options.checkpoint);
  const Manifest manifest = read_manifest(path);
  print_state(path, manifest);
  if (options.tensors) print_tensors(manifest);
}

}  // namespace

Command add_inspect(CLI::App& program) {
  CLI::App* const app =
      program.add_subcommand("inspect", "Verify a checkpoint and say what it holds");
  const auto options = std::make_shared<Options>();
  add_checkpoint_argument(app, options->checkpoint);
  app->add_flag("--tensors", options->tensors, "List all tensors");
  return {.app = app,
          .examples = {"lmtrain inspect runs/quickstart",
                       "lmtrain inspect runs/quickstart/checkpoints/step-00000780 --tensors"},
          .synonyms = {checkpoint_words(), {{"list", "verbose", "v"}, {"--tensors"}, ""}},
          .run = run_with(options, inspect)};
}

}  // namespace lmtrain
