// generate, score, inspect, report.
#include <algorithm>
#include <iostream>
#include <map>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "base/utf8.h"
#include "trainer/commands.h"
#include "trainer/interchange.h"
#include "trainer/loaded_model.h"
#include "trainer/run_report.h"

namespace lmtrain {
namespace {

using nlohmann::json;

std::vector<int32_t> with_start(const Tokenizer& tokenizer, const std::string& text) {
  std::vector<int32_t> tokens;
  if (const int32_t start = start_token(tokenizer); start >= 0) tokens.push_back(start);
  tokenizer.encode(text, tokens);
  return tokens;
}

}  // namespace

void command_generate(const std::string& checkpoint, const std::string& prompt,
                      const SamplingOptions& options) {
  const LoadedModel loaded = load_model(checkpoint);
  const std::vector<int32_t> tokens = with_start(loaded.tokenizer, prompt);
  if (tokens.empty())
    throw DataError("the prompt is empty and the tokenizer has no end token to start from");
  const std::vector<int32_t> generated =
      generate_tokens(*loaded.model, loaded.config.model.max_positions, at::kCPU, tokens,
                      loaded.tokenizer, options);
  std::cout << prompt << shown_as_utf8(loaded.tokenizer.decode(generated)) << "\n";
}

void command_score(const std::string& checkpoint, const std::string& text) {
  const LoadedModel loaded = load_model(checkpoint);
  const std::vector<int32_t> tokens = with_start(loaded.tokenizer, text);
  const auto limit = static_cast<size_t>(loaded.config.model.max_positions) + 1;
  if (tokens.size() > limit) {
    throw DataError(cat("the text has ", tokens.size() - 1, " tokens, more than the model's ",
                        loaded.config.model.max_positions, " positions; score a shorter text"));
  }
  const std::vector<double> scores = score_tokens(*loaded.model, at::kCPU, tokens);
  double sum = 0;
  for (const double score : scores) sum += score;
  std::cout << json{{"checkpoint", loaded.checkpoint.string()},
                    {"ids", tokens},
                    {"log_probabilities", scores},
                    {"log_probability", sum}}
                   .dump()
            << "\n";
}

void command_inspect(const std::string& checkpoint, bool with_tensors) {
  const std::filesystem::path path = resolve_checkpoint(checkpoint);
  const Manifest manifest = read_manifest(path);
  const CheckpointState& s = manifest.state;
  int64_t bytes = 0;
  for (const auto& file : manifest.files) bytes += file.bytes;
  int64_t parameters = 0;
  for (const auto& tensor : manifest.tensors) {
    int64_t numel = tensor.group == "weights" ? 1 : 0;
    for (const int64_t size : tensor.shape) numel *= size;
    parameters += numel;
  }
  std::cout << "checkpoint        " << path.string() << " (verified)\n"
            << "step              " << s.step << "\n"
            << "parameters        " << with_commas(parameters) << "\n"
            << "files             " << manifest.files.size() << ", " << human_bytes(bytes) << "\n"
            << "precision         " << s.precision << "\n"
            << "ranks x threads   " << s.num_ranks << " x " << s.num_threads << "\n"
            << "instruction set   " << s.cpu_capability << "\n"
            << "built from        " << s.commit << ", " << s.build << "\n"
            << "tokenizer         " << s.tokenizer_hash << "\n"
            << "data fingerprint  " << s.data_fingerprint << "\n"
            << "so far            " << with_commas(s.tokens) << " tokens, "
            << human_duration(s.seconds) << ", " << fixed(s.joules / 3600, 3) << " Wh\n";
  if (!with_tensors) return;
  for (const auto& tensor : manifest.tensors) {
    std::vector<std::string> sizes;
    for (const int64_t size : tensor.shape) sizes.push_back(std::to_string(size));
    std::cout << tensor.group << "/" << tensor.name << "  [" << join(sizes, ", ") << "]  "
              << tensor.file << "\n";
  }
}

void command_import(const std::string& folder, const std::string& out) {
  import_model(folder, out);
  std::cout << checkpoint_path(out, 0).string() << "\n";
}

void command_export(const std::string& checkpoint, const std::string& out,
                    const ExportOptions& options) {
  export_model(checkpoint, out, options);
  std::cout << out << "\n";
}

void command_report(const std::string& run_folder) {
  const RunFolder folder{run_folder};
  rewrite_report(folder);
  std::cout << folder.report().string() << "\n";
}

}  // namespace lmtrain
