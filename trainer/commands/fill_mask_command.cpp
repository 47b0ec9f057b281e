// fill-mask: which tokens an encoder expects at the masked places of a text.
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "data/masked_loader.h"
#include "trainer/commands/command.h"
#include "trainer/commands/language_model.h"
#include "trainer/commands/rank_job.h"
#include "trainer/commands/result_lines.h"
#include "trainer/commands/text_arguments.h"
#include "trainer/inference/masked_predictions.h"
#include "trainer/inference/token_name.h"

namespace lmtrain {
namespace {

struct Options {
  std::string checkpoint;
  TextArguments texts;
  int64_t num_top = 5;
  ModelOptions model;
  EnergyOptions energy;
};

const Encoder& encoder_of(const LoadedModel& loaded) {
  require_language_head(loaded);
  if (const auto* const encoder = dynamic_cast<const Encoder*>(loaded.model.get())) return *encoder;
  throw ConfigError(cat(loaded.checkpoint.string(), " is a ", loaded.config.model.kind,
                        ", which knows no mask; continue texts with lmtrain generate"));
}

nlohmann::ordered_json candidates_of(const LoadedModel& loaded, const EncodedText& text,
                                     const FilledMask& mask) {
  nlohmann::ordered_json candidates = nlohmann::ordered_json::array();
  for (const RankedToken& token : mask.top) {
    std::vector<int32_t> ids = text.ids;
    ids[mask.place] = token.token;
    candidates.push_back({{"id", token.token},
                          {"token", token_name(loaded.tokenizer, token.token)},
                          {"probability", std::exp(token.log_probability)},
                          {"text", loaded.tokenizer.decode(ids)}});
  }
  return candidates;
}

void fill_mask(const Options& options, Launch& launch) {
  const std::vector<TextPair> texts = texts_of(options.texts);
  const auto energy = start_metering(options.energy, launch);
  const LoadedModel loaded = load_on_ranks(options.checkpoint, options.model, launch);
  const Encoder& encoder = encoder_of(loaded);
  require_masking_tokens(loaded.tokenizer, loaded.checkpoint.string());
  const std::vector<EncodedText> inputs =
      encoded(loaded, texts, {.special_tokens = SpecialTokens::kMatched},
              loaded.config.model.max_positions);
  ResultLines lines(texts.size(), energy.get());
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::vector<FilledMask> masks =
        fill_masks(encoder, loaded.tokenizer, inputs[i], options.num_top);
    if (masks.empty()) {
      throw DataError(cat("text ", i + 1, " of ", texts.size(), " has no ",
                          loaded.tokenizer.token_text(loaded.tokenizer.mask_token()),
                          "; write it where a token is to be guessed"));
    }
    nlohmann::ordered_json line = {{"index", i}, {"text", texts[i].text}};
    for (const FilledMask& mask : masks) {
      line["masks"].push_back(
          {{"position", mask.place}, {"candidates", candidates_of(loaded, inputs[i], mask)}});
    }
    lines.add(i, json_line(line), static_cast<int64_t>(inputs[i].ids.size()));
  }
  lines.finish();
}

}  // namespace

Command add_fill_mask(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "fill-mask", "Print which tokens an encoder expects at the masks of a text, as JSON");
  const auto options = std::make_shared<Options>();
  add_checkpoint_argument(app, options->checkpoint);
  add_text_arguments(app, options->texts, TakesPairs::kNo);
  app->add_option("--top", options->num_top, "Tokens to name for each mask")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  add_model_options(app, options->model);
  add_energy_options(app, options->energy);
  std::vector<Synonyms> words = text_words(TakesPairs::kNo);
  words.push_back(checkpoint_words());
  words.push_back(precision_words());
  words.push_back({{"top_k", "k"}, {"--top"}, ""});
  return {.app = app,
          .examples = {"lmtrain fill-mask my-bert --text \"Paris is the [MASK] of France.\"",
                       "lmtrain fill-mask my-bert --texts sentences.txt --top 1"},
          .synonyms = std::move(words),
          .run = run_on_ranks(options, fill_mask)};
}

}  // namespace lmtrain
