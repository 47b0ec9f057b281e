// score: how likely a model takes the tokens of texts to be, and which it expected instead.
#include <cmath>
#include <iostream>
#include <numeric>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "data/masked_loader.h"
#include "trainer/commands/command.h"
#include "trainer/commands/language_model.h"
#include "trainer/commands/rank_job.h"
#include "trainer/commands/result_lines.h"
#include "trainer/commands/text_arguments.h"
#include "trainer/inference/score.h"
#include "trainer/inference/token_name.h"

namespace lmtrain {
namespace {

using nlohmann::ordered_json;

struct Options {
  std::string checkpoint;
  TextArguments texts;
  StartOptions start;
  SpecialTokens special_tokens = SpecialTokens::kAsText;
  int64_t num_top = 0;
  bool as_table = false;
  int64_t batch_size = 8;
  ModelOptions model;
  EnergyOptions energy;
};

// A text whose tokens are scored, but those that have nothing before them.
struct ScoredText {
  std::vector<int32_t> ids;
  std::vector<ScoredToken> tokens;
};

void require_positions(const LoadedModel& loaded, size_t num_tokens, size_t limit) {
  if (num_tokens <= limit) return;
  throw DataError(cat("the text has ", num_tokens, " tokens, more than the ", limit,
                      " that the model's ", loaded.config.model.max_positions,
                      " positions hold; score a shorter text, or a long one with lmtrain eval "
                      "--task perplexity"));
}

ordered_json as_json(const LoadedModel& loaded, size_t index, const ScoredText& text) {
  double sum = 0;
  ordered_json tokens = ordered_json::array();
  ordered_json scores = ordered_json::array();
  for (const ScoredToken& scored : text.tokens) {
    sum += scored.log_probability;
    scores.push_back(scored.log_probability);
    ordered_json token = {{"id", scored.token},
                          {"token", token_name(loaded.tokenizer, scored.token)},
                          {"log_probability", scored.log_probability},
                          {"rank", scored.rank}};
    for (const RankedToken& other : scored.top) {
      token["top"].push_back({{"id", other.token},
                              {"token", token_name(loaded.tokenizer, other.token)},
                              {"log_probability", other.log_probability}});
    }
    tokens.push_back(std::move(token));
  }
  const auto count = static_cast<double>(text.tokens.size());
  return {{"index", index},         {"checkpoint", loaded.checkpoint.string()},
          {"ids", text.ids},        {"log_probabilities", scores},
          {"log_probability", sum}, {"perplexity", std::exp(-sum / count)},
          {"tokens", tokens}};
}

// A row for each token, for people.
std::string as_table(const LoadedModel& loaded, const ScoredText& text) {
  std::string rows = "probability   rank  token";
  for (const ScoredToken& scored : text.tokens) {
    const std::string rank = with_commas(scored.rank);
    rows += cat("\n   ", fixed(std::exp(scored.log_probability), 6),
                std::string(7 - std::min<size_t>(7, rank.size()), ' '), rank, "  ",
                token_in_line(loaded.tokenizer, scored.token));
    std::string separator = "    of ";
    for (const RankedToken& other : scored.top) {
      rows += cat(separator, "\"", token_in_line(loaded.tokenizer, other.token), "\" ",
                  fixed(std::exp(other.log_probability), 3));
      separator = ", ";
    }
  }
  return rows;
}

// Each token is masked in turn and scored given all others.
ScoredText score_with_encoder(const LoadedModel& loaded, const Encoder& model,
                              const Options& options, const std::string& text) {
  ScoredText scored;
  loaded.tokenizer.encode(text, scored.ids, options.special_tokens);
  require_positions(loaded, scored.ids.size(),
                    static_cast<size_t>(loaded.config.model.max_positions) - 2);
  if (scored.ids.empty()) throw DataError("the text is empty");
  std::vector<size_t> places(scored.ids.size());
  std::iota(places.begin(), places.end(), size_t{0});
  scored.tokens = score_masked_tokens(model, loaded.tokenizer, scored.ids, places,
                                      {loaded.tokenizer.vocab_size(), options.num_top});
  return scored;
}

TextToScore text_to_score(const LoadedModel& loaded, const Options& options,
                          const std::string& text) {
  TextToScore result{with_start(loaded, options.start, text, options.special_tokens)};
  if (result.tokens.size() < 2) {
    throw DataError(
        "there is nothing to score: a token is scored by those before it, and there are "
        "none; give a longer --text or --start-token");
  }
  require_positions(loaded, result.tokens.size(),
                    static_cast<size_t>(loaded.config.model.max_positions) + 1);
  return result;
}

class Output {
 public:
  Output(const LoadedModel& loaded, const Options& options, size_t num_texts, CallEnergy* energy)
      : loaded_(loaded),
        as_table_(options.as_table),
        lines_(num_texts, energy, options.as_table ? OutputForm::kText : OutputForm::kJson) {}

  void add(size_t index, const ScoredText& text) {
    const auto num_tokens = static_cast<int64_t>(text.ids.size());
    lines_.add(index,
               as_table_ ? as_table(loaded_, text) : json_line(as_json(loaded_, index, text)),
               num_tokens);
  }
  void finish() { lines_.finish(); }

 private:
  const LoadedModel& loaded_;
  bool as_table_;
  ResultLines lines_;
};

void score(const Options& options, Launch& launch) {
  const std::vector<TextPair> texts = texts_of(options.texts);
  const auto energy = start_metering(options.energy, launch);
  const LoadedModel loaded = load_on_ranks(options.checkpoint, options.model, launch);
  require_language_head(loaded);
  Output output(loaded, options, texts.size(), energy.get());
  if (const auto* const encoder = dynamic_cast<const Encoder*>(loaded.model.get())) {
    if (options.start.is_given()) {
      throw ConfigError(cat(loaded.checkpoint.string(), " is a ", loaded.config.model.kind,
                            ", whose texts always stand between [CLS] and [SEP]; leave out "
                            "--start-token and --no-start-token"));
    }
    require_masking_tokens(loaded.tokenizer, loaded.checkpoint.string());
    for_each_text(texts.size(), [&](size_t i) {
      output.add(i, score_with_encoder(loaded, *encoder, options, texts[i].text));
    });
    output.finish();
    return;
  }
  std::vector<TextToScore> inputs;
  std::vector<size_t> lengths;
  for_each_text(texts.size(), [&](size_t i) {
    inputs.push_back(text_to_score(loaded, options, texts[i].text));
    lengths.push_back(inputs.back().tokens.size());
  });
  in_batches(lengths, options.batch_size, [&](std::span<const size_t> places) {
    std::vector<TextToScore> batch;
    for (const size_t place : places) batch.push_back(inputs[place]);
    std::vector<std::vector<ScoredToken>> scored =
        score_texts(decoder_of(loaded), batch, {loaded.tokenizer.vocab_size(), options.num_top});
    for (size_t i = 0; i < places.size(); ++i)
      output.add(places[i], {batch[i].tokens, std::move(scored[i])});
  });
  output.finish();
}

}  // namespace

Command add_score(CLI::App& program) {
  CLI::App* const app =
      program.add_subcommand("score", "Print the log-probabilities of texts' tokens, as JSON");
  const auto options = std::make_shared<Options>();
  add_checkpoint_argument(app, options->checkpoint);
  add_text_arguments(app, options->texts, TakesPairs::kNo);
  app->add_option("--top", options->num_top, "Name the likeliest tokens at each place, so many")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  app->add_flag("--table", options->as_table, "Print a table for people in place of JSON");
  add_start_options(app, options->start);
  add_special_tokens_option(app, options->special_tokens);
  add_batch_option(app, options->batch_size);
  add_model_options(app, options->model);
  add_energy_options(app, options->energy);
  std::vector<Synonyms> words = text_words(TakesPairs::kNo);
  words.push_back(checkpoint_words());
  words.push_back(start_words());
  words.push_back(precision_words());
  words.push_back({{"top_k", "logprobs", "alternatives", "k"}, {"--top"}, ""});
  return {.app = app,
          .examples = {"lmtrain score runs/quickstart --text \"Love is blind.\"",
                       "lmtrain score runs/quickstart --text \"Love is blind.\" --top 5 --table",
                       "lmtrain score runs/quickstart --texts sentences.txt"},
          .synonyms = std::move(words),
          .run = run_on_ranks(options, score)};
}

}  // namespace lmtrain
