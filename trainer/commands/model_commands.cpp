// generate, score, inspect, report.
#include <algorithm>
#include <iostream>
#include <map>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "base/utf8.h"
#include "data/masked_loader.h"
#include "models/decoder.h"
#include "models/encoder.h"
#include "trainer/commands/commands.h"
#include "trainer/inference/loaded_model.h"
#include "trainer/inference/masked_predictions.h"
#include "trainer/inference/predict.h"
#include "trainer/interchange/interchange.h"
#include "trainer/run/run_report.h"

namespace lmtrain {
namespace {

using nlohmann::json;

std::vector<int32_t> with_start(const Tokenizer& tokenizer, const std::string& text) {
  std::vector<int32_t> tokens;
  if (const int32_t start = start_token(tokenizer); start >= 0) tokens.push_back(start);
  tokenizer.encode(text, tokens);
  return tokens;
}

void require_language_head(const LoadedModel& loaded) {
  const ModelConfig& model = loaded.config.model;
  if (model.has_language_head()) return;
  throw ConfigError(cat(loaded.checkpoint.string(), " has model.head = ", model.head,
                        ", so that it predicts no tokens",
                        model.has_label_head() ? "; ask it with lmtrain predict" : ""));
}

const Decoder& decoder_of(const LoadedModel& loaded) {
  require_language_head(loaded);
  const auto* const decoder = dynamic_cast<const Decoder*>(loaded.model.get());
  if (decoder != nullptr) return *decoder;
  throw ConfigError(cat(loaded.checkpoint.string(), " is a ", loaded.config.model.kind,
                        ", which fills in masked tokens and writes no text; score it instead"));
}

void require_positions(const LoadedModel& loaded, size_t num_tokens, size_t limit) {
  if (num_tokens <= limit) return;
  throw DataError(cat("the text has ", num_tokens, " tokens, more than the ", limit,
                      " that the model's ", loaded.config.model.max_positions,
                      " positions hold; score a shorter text"));
}

void print_scores(const LoadedModel& loaded, const std::vector<int32_t>& tokens,
                  const std::vector<double>& scores) {
  double sum = 0;
  for (const double score : scores) sum += score;
  std::cout << json{{"checkpoint", loaded.checkpoint.string()},
                    {"ids", tokens},
                    {"log_probabilities", scores},
                    {"log_probability", sum}}
                   .dump()
            << "\n";
}

// Each token given all others; its own place masked.
void score_encoder(const LoadedModel& loaded, const Encoder& model, const std::string& text) {
  require_language_head(loaded);
  std::vector<int32_t> tokens;
  loaded.tokenizer.encode(text, tokens);
  require_positions(loaded, tokens.size(),
                    static_cast<size_t>(loaded.config.model.max_positions) - 2);
  require_masking_tokens(loaded.tokenizer, loaded.checkpoint.string());
  print_scores(loaded, tokens, score_masked_tokens(model, loaded.tokenizer, tokens, at::kCPU));
}

}  // namespace

void command_generate(const std::string& checkpoint, const std::string& prompt,
                      const SamplingOptions& options) {
  const LoadedModel loaded = load_model(checkpoint);
  const Decoder& decoder = decoder_of(loaded);
  const std::vector<int32_t> tokens = with_start(loaded.tokenizer, prompt);
  if (tokens.empty())
    throw DataError("the prompt is empty and the tokenizer has no end token to start from");
  const std::vector<int32_t> generated = generate_tokens(
      decoder, loaded.config.model.max_positions, at::kCPU, tokens, loaded.tokenizer, options);
  std::cout << prompt << shown_as_utf8(loaded.tokenizer.decode(generated)) << "\n";
}

void command_score(const std::string& checkpoint, const std::string& text) {
  const LoadedModel loaded = load_model(checkpoint);
  if (const auto* const encoder = dynamic_cast<const Encoder*>(loaded.model.get())) {
    score_encoder(loaded, *encoder, text);
    return;
  }
  const std::vector<int32_t> tokens = with_start(loaded.tokenizer, text);
  require_positions(loaded, tokens.size(),
                    static_cast<size_t>(loaded.config.model.max_positions) + 1);
  print_scores(loaded, tokens, score_tokens(decoder_of(loaded), at::kCPU, tokens));
}

void command_predict(const std::string& checkpoint, const std::string& text,
                     const std::string& pair) {
  std::cout << predict_labels(load_model(checkpoint), text, pair).dump() << "\n";
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
