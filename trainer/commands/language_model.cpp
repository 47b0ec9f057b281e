#include "trainer/commands/language_model.h"

#include "base/error.h"
#include "base/text.h"

namespace lmtrain {

int32_t token_named(const Tokenizer& tokenizer, const std::string& name, const char* option) {
  const int32_t id = tokenizer.special_token(name);
  if (id >= 0) return id;
  if (const auto number = parse_integer(name);
      number && *number >= 0 && *number < tokenizer.vocab_size())
    return static_cast<int32_t>(*number);
  throw ConfigError(cat(option, " ", name, " is neither a special token of the tokenizer (",
                        join(tokenizer.special_tokens(), ", "), ") nor an id below ",
                        tokenizer.vocab_size()));
}

void add_start_options(CLI::App* app, StartOptions& options) {
  CLI::Option* const token = app->add_option(
      "--start-token", options.token,
      "Begin the text with this special token or id (default: as the model was trained, or as its "
      "own tokenizer does)");
  app->add_flag("--no-start-token", options.none, "Begin with the text itself")->excludes(token);
}

Synonyms start_words() {
  return {{"bos", "bos_token", "add_bos", "add_special_tokens", "no_bos"},
          {"--start-token", "--no-start-token"},
          ""};
}

void add_special_tokens_option(CLI::App* app, SpecialTokens& special_tokens) {
  app->add_flag_callback(
      "--special-tokens", [&special_tokens] { special_tokens = SpecialTokens::kMatched; },
      "Take the text of special tokens, such as <|im_start|>, for the tokens (default: ordinary "
      "text)");
}

void add_model_options(CLI::App* app, ModelOptions& options) {
  add_choice(
      app, "--precision", options.precision,
      "Compute in bf16, which takes half the memory of fp32, in fp32 or in fp64; auto: as the "
      "model was trained");
  app->add_flag(
      "--int8", options.int8,
      "Keep the matrices of the blocks in 8 bits, which halves what is read of them for a "
      "token in bf16, at a small loss of quality (docs/performance.md)");
}

Synonyms precision_words() {
  return {
      {"dtype", "torch_dtype", "type", "quantize", "load_in_8bit"}, {"--precision", "--int8"}, ""};
}

std::string not_empty(const std::string& text) {
  return text.empty() ? "an empty text stops nothing" : "";
}

void require_folder_of(const std::filesystem::path& file) {
  const std::filesystem::path folder = file.parent_path();
  if (!folder.empty() && !std::filesystem::is_directory(folder))
    throw IoError(cat("cannot write ", file.string(), ": there is no folder ", folder.string()));
  if (std::filesystem::exists(file) && !std::filesystem::is_regular_file(file)) {
    throw IoError(
        cat("cannot write ", file.string(), ": it is a folder, a device or a pipe; name a file"));
  }
}

LoadedModel load_on_ranks(const std::string& checkpoint, const ModelOptions& options,
                          Launch& launch) {
  std::optional<LoadedModel> loaded;
  launch.together([&] {
    loaded.emplace(load_model(checkpoint, options, launch.size() > 1 ? &launch.world() : nullptr));
  });
  return std::move(*loaded);
}

std::vector<int32_t> with_start(const LoadedModel& loaded, const StartOptions& options,
                                const std::string& text, SpecialTokens special_tokens) {
  std::vector<int32_t> tokens;
  const int32_t start = options.none ? -1
                        : options.token.empty()
                            ? loaded.start_token
                            : token_named(loaded.tokenizer, options.token, "--start-token");
  if (start >= 0) tokens.push_back(start);
  loaded.tokenizer.encode(text, tokens, special_tokens);
  return tokens;
}

void require_language_head(const LoadedModel& loaded) {
  const ModelConfig& model = loaded.config.model;
  if (model.has_language_head()) return;
  throw ConfigError(cat(loaded.checkpoint.string(), " has model.head = ", model.head,
                        ", so that it predicts no tokens; ask it with lmtrain ",
                        model.has_label_head() ? "predict" : "embed"));
}

const Decoder& decoder_of(const LoadedModel& loaded) {
  require_language_head(loaded);
  const auto* const decoder = dynamic_cast<const Decoder*>(loaded.model.get());
  if (decoder != nullptr) return *decoder;
  throw ConfigError(cat(loaded.checkpoint.string(), " is a ", loaded.config.model.kind,
                        ", which fills in masked tokens and writes no text; score it instead"));
}

}  // namespace lmtrain
