// explain: what a prediction rests on.
#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "data/masked_loader.h"
#include "trainer/commands/command.h"
#include "trainer/commands/language_model.h"
#include "trainer/commands/rank_job.h"
#include "trainer/commands/result_lines.h"
#include "trainer/commands/text_arguments.h"
#include "trainer/explanation/explanation_page.h"
#include "trainer/inference/predict.h"
#include "trainer/inference/token_name.h"

namespace lmtrain {
namespace {

struct Options {
  std::string checkpoint;
  TextArguments texts;
  EncodingOptions encoding;
  StartOptions start;
  PredictionChoice choice;
  std::optional<ScoreKind> score;
  std::string baseline;
  double tolerance = 0.01;
  int64_t max_points = 1024;
  std::string page;
  bool as_table = false;
  ModelOptions model;
  EnergyOptions energy;
};

// Gradients of bf16 are too coarse to add up to a difference of scores.
ModelOptions precise(ModelOptions model) {
  if (model.precision == Precision::kBf16) {
    throw ConfigError(
        "--precision bf16 is too coarse to explain a prediction; leave it out, which computes in "
        "fp32, or take fp64");
  }
  if (model.precision == Precision::kAuto) model.precision = Precision::kFp32;
  return model;
}

std::vector<EncodedText> prompts(const LoadedModel& loaded, const Options& options,
                                 const std::vector<TextPair>& texts) {
  const int64_t limit = loaded.config.model.max_positions;
  if (options.encoding.truncation != Truncation::kRefuse || options.encoding.max_tokens != 0) {
    throw ConfigError(
        "--truncation and --max-length are for models that read a text at once; what follows a "
        "text rests on all of it");
  }
  std::vector<EncodedText> inputs;
  for_each_text(texts.size(), [&](size_t i) {
    if (!texts[i].pair.empty())
      throw ConfigError(cat(loaded.checkpoint.string(), " continues texts, and reads no --pair"));
    EncodedText input;
    input.ids = with_start(loaded, options.start, texts[i].text, options.encoding.special_tokens);
    const auto length = static_cast<int64_t>(input.ids.size());
    if (length == 0 || length > limit) {
      throw DataError(cat("the text has ", counted(length, "token"), ", and the model reads 1 to ",
                          limit, "; give another text"));
    }
    input.type_ids.resize(input.ids.size());
    inputs.push_back(std::move(input));
  });
  return inputs;
}

std::vector<EncodedText> inputs_of(const LoadedModel& loaded, const Options& options,
                                   const std::vector<TextPair>& texts) {
  const ModelConfig& model = loaded.config.model;
  if (!model.has_label_head()) {
    require_language_head(loaded);
    if (model.traits().predicts_next_token()) return prompts(loaded, options, texts);
    require_masking_tokens(loaded.tokenizer, loaded.checkpoint.string());
  }
  if (options.start.is_given()) {
    throw ConfigError(cat(loaded.checkpoint.string(),
                          " reads texts between special tokens of its own; leave out --start-token "
                          "and --no-start-token"));
  }
  if (model.answers_questions()) require_labels(loaded, texts);
  EncodingOptions encoding = options.encoding;
  // A mask is written into the text.
  if (!model.has_label_head()) encoding.special_tokens = SpecialTokens::kMatched;
  return encoded(loaded, texts, encoding, model.max_positions);
}

ExplainOptions explain_options(const LoadedModel& loaded, const Options& options,
                               size_t num_texts) {
  if (options.score && loaded.config.model.is_regression())
    throw ConfigError("--score is for probabilities; a regression is explained by its value");
  ExplainOptions result;
  result.choice = options.choice;
  result.score = options.score.value_or(ScoreKind::kLogProbability);
  result.baseline = options.baseline.empty() ? default_baseline(loaded)
                    : options.baseline == "zero"
                        ? -1
                        : token_named(loaded.tokenizer, options.baseline, "--baseline");
  result.tolerance = options.tolerance;
  result.max_points = options.max_points;
  if (!options.page.empty())
    result.most_attention = kMostAttentionOfPage / static_cast<int64_t>(num_texts);
  return result;
}

// Digits behind the point with which the largest of the values shows four that count.
int digits_for(const std::vector<double>& values) {
  double largest = 0;
  for (const double value : values) largest = std::max(largest, std::abs(value));
  if (!(largest > 0)) return 4;
  return std::clamp(3 - static_cast<int>(std::floor(std::log10(largest))), 2, 12);
}

// "0.18%", "2e-05%".
std::string shortest_percent(double part) {
  const double percent = 100 * part;
  return percent >= 0.01 ? cat(fixed(percent, 2), "%") : cat(shortest(percent), "%");
}

// A row for each token, for people.
std::string as_table(const LoadedModel& loaded, const nlohmann::ordered_json& object,
                     const Explanation& explanation) {
  const int digits = digits_for(explanation.integrated_gradients);
  std::string rows =
      cat(object["score"].get<std::string>(), " of \"", explanation.prediction.name,
          "\": ", fixed(explanation.input_score, digits), ", and ",
          fixed(explanation.baseline_score, digits), " on the baseline\ncontribution  token");
  for (size_t i = 0; i < explanation.text.ids.size(); ++i) {
    const double contribution = explanation.integrated_gradients[i];
    const std::string value = cat(contribution < 0 ? "" : "+", fixed(contribution, digits));
    rows += cat("\n", std::string(12 - std::min<size_t>(12, value.size()), ' '), value, "  ",
                token_in_line(loaded.tokenizer, explanation.text.ids[i]));
  }
  return rows;
}

void warn_if_wrong(const Explanation& explanation, const ExplainOptions& options, size_t index,
                   bool is_in_fp64) {
  if (explanation.holds) return;
  log_warn(cat(
      "text ", index + 1, ": the contributions miss the difference of the scores by ",
      shortest_percent(explanation.relative_error), ", and all together they are off by about ",
      shortest_percent(explanation.relative_token_error), ", more than --tolerance (",
      shortest_percent(options.tolerance), "), so that they are not reliable; raise --max-points (",
      options.max_points, ")", is_in_fp64 ? "" : " or compute with --precision fp64"));
}

void explain_texts(const Options& options, Launch& launch) {
  if (!options.page.empty()) require_folder_of(options.page);
  const std::vector<TextPair> texts = texts_of(options.texts);
  const auto energy = start_metering(options.energy, launch);
  const LoadedModel loaded = load_on_ranks(options.checkpoint, precise(options.model), launch);
  const std::vector<EncodedText> inputs = inputs_of(loaded, options, texts);
  ExplainOptions settings = explain_options(loaded, options, texts.size());
  ResultLines lines(texts.size(), energy.get(),
                    options.as_table ? OutputForm::kText : OutputForm::kJson);
  settings.on_tokens = [&](int64_t tokens) { lines.add_tokens(tokens); };
  nlohmann::ordered_json shown = nlohmann::ordered_json::array();
  for_each_text(texts.size(), [&](size_t i) {
    const Explanation explanation = explain(loaded, inputs[i], settings);
    nlohmann::ordered_json object = explanation_json(loaded, settings, i, texts[i], explanation);
    lines.add(i, options.as_table ? as_table(loaded, object, explanation) : json_line(object),
              /*num_tokens=*/0);
    warn_if_wrong(explanation, settings, i, loaded.store->compute_type() == at::kDouble);
    if (options.page.empty()) return;
    add_attention(object, explanation);
    shown.push_back(std::move(object));
  });
  if (!options.page.empty() && launch.rank() == 0) {
    write_file_durably(options.page, explanation_page(loaded, settings, shown));
    log_info(cat("the page is in ", options.page));
  }
  lines.finish();
}

void add_explanation_options(CLI::App* app, Options& options) {
  app->add_option("--target", options.choice.name,
                  "Label or token whose probability is explained, by its text (default: the "
                  "likeliest)")
      ->check(not_empty);
  app->add_option("--target-id", options.choice.id, "The same by its id")
      ->excludes(app->get_option("--target"));
  app->add_option(
      "--position", options.choice.position,
      "Which token is meant, counted from 0 with the special ones, where a text has several masks or "
      "each token has a label");
  add_choice<ScoreKind>(
      app, "--score", [&options](ScoreKind score) { options.score = score; },
      "Whether contributions add up to a difference of log-probabilities, which is the default, "
      "or of probabilities");
  app->add_option(
         "--baseline", options.baseline,
         "What stands for no text: a special token or an id in place of each token, or zero: a "
         "vector of zeros (default: the mask of an encoder, the end token of a decoder, else zero)")
      ->check(not_empty);
  app->add_option(
         "--tolerance", options.tolerance,
         "How far the contributions may be from adding up, and how wrong all together, as a part "
         "of the difference and of their sum")
      ->check(number_range(1e-6, 0.5))
      ->capture_default_str();
  app->add_option("--max-points", options.max_points,
                  "Points between baseline and text at which gradients are computed, at most")
      ->check(CLI::Range(kFewestPoints, int64_t{1} << 20))
      ->capture_default_str();
  app->add_option(
         "--page", options.page,
         "Write one page of HTML with the contributions and the attention maps to this file")
      ->check(not_empty);
  app->add_flag("--table", options.as_table, "Print a table for people in place of JSON");
}

}  // namespace

Command add_explain(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "explain",
      "Print how much each token contributes to a prediction, and write a page that shows it");
  const auto options = std::make_shared<Options>();
  add_checkpoint_argument(app, options->checkpoint);
  add_text_arguments(app, options->texts, TakesPairs::kYes);
  add_explanation_options(app, *options);
  add_encoding_options(app, options->encoding);
  add_start_options(app, options->start);
  add_choice(app, "--precision", options->model.precision,
             "Compute in fp32, which is also auto, or in fp64");
  add_energy_options(app, options->energy);
  std::vector<Synonyms> words = text_words(TakesPairs::kYes);
  words.push_back(checkpoint_words());
  words.push_back(start_words());
  words.push_back({{"dtype", "torch_dtype"}, {"--precision"}, ""});
  words.push_back({{"label", "token", "class"}, {"--target"}, ""});
  words.push_back({{"n_steps", "steps", "points"}, {"--max-points"}, ""});
  words.push_back({{"html", "out", "output", "report"}, {"--page"}, ""});
  words.push_back({{"baselines", "reference"}, {"--baseline"}, ""});
  return {
      .app = app,
      .examples = {"lmtrain explain my-classifier --text \"A fine film.\" --page explanation.html",
                   "lmtrain explain my-bert --text \"Paris is the [MASK] of France.\" --table",
                   "lmtrain explain runs/quickstart --text \"Love is\" --target \" blind\""},
      .synonyms = std::move(words),
      .run = run_on_ranks(options, explain_texts)};
}

}  // namespace lmtrain
