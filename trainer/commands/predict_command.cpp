// predict: what a model's head of labels says of texts or pairs of texts.
#include <nlohmann/json.hpp>

#include "trainer/commands/command.h"
#include "trainer/commands/language_model.h"
#include "trainer/commands/rank_job.h"
#include "trainer/commands/result_lines.h"
#include "trainer/commands/text_arguments.h"
#include "trainer/inference/predict.h"

namespace lmtrain {
namespace {

struct Options {
  std::string checkpoint;
  TextArguments texts;
  EncodingOptions encoding;
  int64_t batch_size = 16;
  ModelOptions model;
  EnergyOptions energy;
};

void predict(const Options& options, Launch& launch) {
  const std::vector<TextPair> texts = texts_of(options.texts);
  const auto energy = start_metering(options.energy, launch);
  const LoadedModel loaded = load_on_ranks(options.checkpoint, options.model, launch);
  require_labels(loaded, texts);
  const std::vector<EncodedText> inputs =
      encoded(loaded, texts, options.encoding, loaded.config.model.max_positions);
  ResultLines lines(texts.size(), energy.get());
  in_batches(lengths_of(inputs), options.batch_size, [&](std::span<const size_t> places) {
    const std::vector<nlohmann::ordered_json> results = predict_labels(loaded, inputs, places);
    for (size_t i = 0; i < places.size(); ++i) {
      nlohmann::ordered_json line = {{"index", places[i]}};
      line.update(results[i]);
      lines.add(places[i], json_line(line), static_cast<int64_t>(inputs[places[i]].ids.size()));
    }
  });
  lines.finish();
}

}  // namespace

Command add_predict(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "predict", "Print what a model with a head of labels or answers predicts for texts, as JSON");
  const auto options = std::make_shared<Options>();
  add_checkpoint_argument(app, options->checkpoint);
  add_text_arguments(app, options->texts, TakesPairs::kYes);
  add_encoding_options(app, options->encoding);
  add_batch_option(app, options->batch_size);
  add_model_options(app, options->model);
  add_energy_options(app, options->energy);
  std::vector<Synonyms> words = text_words(TakesPairs::kYes);
  words.push_back(checkpoint_words());
  words.push_back(precision_words());
  return {.app = app,
          .examples = {"lmtrain predict my-classifier --text \"A fine film.\"",
                       "lmtrain predict my-reader --text \"Who came?\" --pair \"Then Ann came.\"",
                       "lmtrain predict my-classifier --texts reviews.jsonl --truncation "
                       "longest_first"},
          .synonyms = std::move(words),
          .run = run_on_ranks(options, predict)};
}

}  // namespace lmtrain
