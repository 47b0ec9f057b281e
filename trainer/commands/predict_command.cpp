// predict: what a model's head of labels says of texts or pairs of texts.
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "trainer/commands/command.h"
#include "trainer/commands/language_model.h"
#include "trainer/commands/rank_job.h"
#include "trainer/commands/result_lines.h"
#include "trainer/commands/text_arguments.h"
#include "trainer/evaluation/label_metrics.h"
#include "trainer/inference/predict.h"
#include "trainer/inference/predict_samples.h"

namespace lmtrain {
namespace {

struct Options {
  std::string checkpoint;
  TextArguments texts;
  EncodingOptions encoding;
  int64_t batch_size = 16;
  std::optional<int64_t> stride;
  bool may_have_none = false;
  ModelOptions model;
  EnergyOptions energy;
};

constexpr int64_t kStride = 128;

// Spans such as B-PER I-PER, with their words.
void add_spans(const ModelConfig& model, nlohmann::ordered_json& line) {
  if (!line.contains("words") || !mark_spans(model.labels)) return;
  const nlohmann::ordered_json& words = line["words"];
  std::vector<std::string> tags;
  for (const auto& word : words) tags.push_back(word["label"].get<std::string>());
  line["spans"] = nlohmann::ordered_json::array();
  for (const TagSpan& span : spans_of(tags)) {
    std::vector<std::string> text;
    for (int64_t i = span.begin; i < span.end; ++i)
      text.push_back(words[static_cast<size_t>(i)]["word"].get<std::string>());
    line["spans"].push_back({{"label", span.type},
                             {"text", join(text, " ")},
                             {"first", span.begin},
                             {"last", span.end - 1}});
  }
}

// Passages in windows and sentences by words, as in training.
void predict_by_samples(const Options& options, const std::vector<TextPair>& texts,
                        const LoadedModel& loaded, ResultLines& lines) {
  const ModelConfig& model = loaded.config.model;
  const int64_t asked = options.encoding.max_tokens;
  std::vector<std::vector<Example>> samples(texts.size());
  std::vector<EncodedText> inputs;
  std::vector<std::pair<size_t, size_t>> places_of;  // of each input its text, and place in that
  for_each_text(texts.size(), [&](size_t i) {
    samples[i] = samples_of(loaded, texts[i], asked > 0 ? asked : model.max_positions,
                            options.stride.value_or(kStride));
    if (samples[i].empty()) throw DataError("it holds no word");
    for (size_t k = 0; k < samples[i].size(); ++k) {
      inputs.push_back({samples[i][k].ids, samples[i][k].type_ids});
      places_of.emplace_back(i, k);
    }
  });
  std::vector<std::vector<at::Tensor>> logits(texts.size());
  std::vector<size_t> num_left(texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    logits[i].resize(samples[i].size());
    num_left[i] = samples[i].size();
  }
  in_batches(lengths_of(inputs), options.batch_size, [&](std::span<const size_t> places) {
    const std::vector<at::Tensor> of_tokens = label_logits(loaded, inputs, places);
    for (size_t p = 0; p < places.size(); ++p) {
      const auto [text, place] = places_of[places[p]];
      logits[text][place] = of_tokens[p];
      lines.add_tokens(std::ssize(inputs[places[p]].ids));
      if (--num_left[text] > 0) continue;
      nlohmann::ordered_json line = {{"index", text}};
      line.update(
          predict_samples(model, texts[text], samples[text], logits[text], options.may_have_none));
      add_spans(model, line);
      lines.add(text, json_line(line), 0);
      logits[text].clear();
    }
  });
}

void require_use(const Options& options, const ModelConfig& model) {
  if (model.answers_questions()) return;
  for (const auto& [name, is_set] : {std::pair{"--no-answer", options.may_have_none},
                                     {"--stride", options.stride.has_value()}}) {
    if (is_set) throw ConfigError(cat(name, " is for models that answer questions; leave it out"));
  }
}

void predict(const Options& options, Launch& launch) {
  const std::vector<TextPair> texts = texts_of(options.texts);
  const auto energy = start_metering(options.energy, launch);
  const LoadedModel loaded = load_on_ranks(options.checkpoint, options.model, launch);
  require_labels(loaded, texts);
  require_use(options, loaded.config.model);
  const bool is_cut = options.encoding.truncation != Truncation::kRefuse;
  if (reads_samples(loaded.config.model, texts) && !is_cut) {
    ResultLines lines(texts.size(), energy.get());
    predict_by_samples(options, texts, loaded, lines);
    lines.finish();
    return;
  }
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
  app->add_option(
         "--stride", options->stride,
         "Tokens that a window of a passage shares with the one before, where a passage is "
         "longer than the model reads at once (default 128)")
      ->check(CLI::Range(0, 1 << 20));
  app->add_flag(
      "--no-answer", options->may_have_none,
      "Leave the answer empty where the model finds \"no answer\" likelier than the best");
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
