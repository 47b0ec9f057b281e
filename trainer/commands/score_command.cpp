// score: how likely a model takes a text to be.
#include <iostream>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "data/masked_loader.h"
#include "models/encoder.h"
#include "trainer/commands/command.h"
#include "trainer/commands/language_model.h"
#include "trainer/inference/masked_predictions.h"
#include "trainer/inference/score.h"

namespace lmtrain {
namespace {

struct Options {
  std::string checkpoint;
  std::string text;
  StartOptions start;
  SpecialTokens special_tokens = SpecialTokens::kAsText;
  Precision precision = Precision::kAuto;
};

void require_positions(const LoadedModel& loaded, size_t num_tokens, size_t limit) {
  if (num_tokens <= limit) return;
  throw DataError(cat("the text has ", num_tokens, " tokens, more than the ", limit,
                      " that the model's ", loaded.config.model.max_positions,
                      " positions hold; score a shorter text"));
}

// One JSON object: the ids, their log-probabilities and the sum of these.
void print_scores(const LoadedModel& loaded, const std::vector<int32_t>& tokens,
                  const std::vector<double>& scores) {
  double sum = 0;
  for (const double score : scores) sum += score;
  std::cout << nlohmann::json{{"checkpoint", loaded.checkpoint.string()},
                              {"ids", tokens},
                              {"log_probabilities", scores},
                              {"log_probability", sum}}
                   .dump()
            << "\n";
}

// Each token is masked in turn and scored given all others.
void score_with_encoder(const LoadedModel& loaded, const Encoder& model, const Options& options) {
  require_language_head(loaded);
  if (options.start.is_given()) {
    throw ConfigError(cat(loaded.checkpoint.string(), " is a ", loaded.config.model.kind,
                          ", whose texts always stand between [CLS] and [SEP]; leave out "
                          "--start-token and --no-start-token"));
  }
  std::vector<int32_t> tokens;
  loaded.tokenizer.encode(options.text, tokens, options.special_tokens);
  require_positions(loaded, tokens.size(),
                    static_cast<size_t>(loaded.config.model.max_positions) - 2);
  require_masking_tokens(loaded.tokenizer, loaded.checkpoint.string());
  print_scores(loaded, tokens, score_masked_tokens(model, loaded.tokenizer, tokens, at::kCPU));
}

void score(const Options& options) {
  const LoadedModel loaded = load_model(options.checkpoint, options.precision);
  if (const auto* const encoder = dynamic_cast<const Encoder*>(loaded.model.get())) {
    score_with_encoder(loaded, *encoder, options);
    return;
  }
  const std::vector<int32_t> tokens =
      with_start(loaded, options.start, options.text, options.special_tokens);
  if (tokens.size() < 2) {
    throw DataError(
        "there is nothing to score: a token is scored by those before it, and there are "
        "none; give a longer --text or --start-token");
  }
  require_positions(loaded, tokens.size(),
                    static_cast<size_t>(loaded.config.model.max_positions) + 1);
  print_scores(loaded, tokens, score_tokens(decoder_of(loaded), at::kCPU, tokens));
}

}  // namespace

Command add_score(CLI::App& program) {
  CLI::App* const app =
      program.add_subcommand("score", "Print the log-probabilities of a text's tokens, as JSON");
  const auto options = std::make_shared<Options>();
  add_checkpoint_argument(app, options->checkpoint);
  app->add_option("--text", options->text, "Text to score")->required();
  add_start_options(app, options->start);
  add_special_tokens_option(app, options->special_tokens);
  add_precision_option(app, options->precision);
  return {.app = app,
          .examples = {"lmtrain score runs/quickstart --text \"Love is blind.\""},
          .synonyms = {checkpoint_words(),
                       start_words(),
                       precision_words(),
                       {{"input", "prompt", "t"}, {"--text"}, ""}},
          .run = run_with(options, score)};
}

}  // namespace lmtrain
