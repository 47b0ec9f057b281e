// embed: texts as vectors.
#include <iostream>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "trainer/commands/command.h"
#include "trainer/commands/language_model.h"
#include "trainer/commands/rank_job.h"
#include "trainer/commands/result_lines.h"
#include "trainer/commands/text_arguments.h"
#include "trainer/inference/embed.h"
#include "trainer/inference/predict.h"

namespace lmtrain {
namespace {

enum class Normalising { kAuto, kYes, kNo };
constexpr auto choice_names(Normalising) {
  return std::to_array<std::string_view>({"auto", "true", "false"});
}

struct Options {
  std::string checkpoint;
  TextArguments texts;
  EncodingOptions encoding = {.truncation = Truncation::kLongestFirst};
  std::optional<Pooling> pooling;
  Normalising normalising = Normalising::kAuto;
  std::optional<std::string> prefix;
  std::string file;
  bool is_similar = false;
  int64_t batch_size = 16;
  ModelOptions model;
  EnergyOptions energy;
};

SentencePooling pooling_of(const Options& options, const LoadedModel& loaded) {
  SentencePooling pooling = pooling_of(loaded);
  if (options.pooling) pooling.poolings = {*options.pooling};
  if (options.normalising != Normalising::kAuto)
    pooling.normalises = options.normalising == Normalising::kYes;
  if (options.prefix) pooling.prompt = *options.prefix;
  return pooling;
}

// Cosines of the vectors, a row for each text.
void print_similarities(const at::Tensor& vectors, const std::vector<TextPair>& texts) {
  const at::Tensor unit = normalised(vectors);
  const at::Tensor cosines = unit.mm(unit.t()).to(at::kDouble);
  constexpr size_t kWidth = 8;
  for (int64_t row = 0; row < cosines.size(0); ++row) {
    for (int64_t column = 0; column < cosines.size(1); ++column) {
      const std::string text = fixed(cosines[row][column].item<double>(), 4);
      std::cout << std::string(kWidth - std::min(kWidth, text.size()), ' ') << text;
    }
    std::cout << "  " << texts[static_cast<size_t>(row)].text << "\n";
  }
}

void embed(const Options& options, Launch& launch) {
  const bool prints_vectors = options.file.empty() && !options.is_similar;
  if (!options.file.empty()) require_folder_of(options.file);
  const std::vector<TextPair> texts = texts_of(options.texts);
  const auto energy = start_metering(options.energy, launch);
  const LoadedModel loaded = load_on_ranks(options.checkpoint, options.model, launch);
  const SentencePooling pooling = pooling_of(options, loaded);
  const int64_t positions = loaded.config.model.max_positions;
  std::vector<TextPair> prefixed = texts;
  for (TextPair& text : prefixed) text.text = pooling.prompt + text.text;
  const std::vector<EncodedText> inputs =
      encoded(loaded, prefixed, options.encoding,
              std::min(positions, pooling.max_tokens.value_or(positions)));
  ResultLines lines(texts.size(), energy.get(),
                    options.is_similar ? OutputForm::kText : OutputForm::kJson);
  std::vector<at::Tensor> vectors(texts.size());
  in_batches(lengths_of(inputs), options.batch_size, [&](std::span<const size_t> places) {
    const at::Tensor found = embed_texts(loaded, inputs, places, pooling);
    for (size_t i = 0; i < places.size(); ++i) {
      vectors[places[i]] = found[static_cast<int64_t>(i)].contiguous();
      const auto num_tokens = static_cast<int64_t>(inputs[places[i]].ids.size());
      if (prints_vectors) {
        lines.add(places[i],
                  json_line({{"index", places[i]},
                             {"text", texts[places[i]].text},
                             {"embedding", numbers(vectors[places[i]])}}),
                  num_tokens);
      } else {
        lines.count(num_tokens);
      }
    }
  });
  if (!options.file.empty() && launch.rank() == 0) write_npy(options.file, at::stack(vectors));
  if (options.is_similar) print_similarities(at::stack(vectors), texts);
  lines.finish();
}

void add_vector_options(CLI::App* app, Options& options) {
  add_choice<Pooling>(
      app, "--pooling", [&options](Pooling pooling) { options.pooling = pooling; },
      "How tokens become one vector (default: as the files of sentence-transformers say that came "
      "with the model, else mean for encoders and lasttoken for decoders)");
  add_choice(app, "--normalize", options.normalising,
             "Whether vectors have length 1; auto: as those files say");
  app->add_option("--prefix", options.prefix,
                  "Put this before each text, such as \"query: \" (default: the prompt that those "
                  "files name, if any)");
}

}  // namespace

Command add_embed(CLI::App& program) {
  CLI::App* const app = program.add_subcommand("embed", "Turn texts into vectors");
  const auto options = std::make_shared<Options>();
  add_checkpoint_argument(app, options->checkpoint);
  add_text_arguments(app, options->texts, TakesPairs::kNo);
  add_vector_options(app, *options);
  app->add_option(
      "--out", options->file,
      "Write the vectors to this file as numpy's .npy, a row for each text, in place of "
      "lines of JSON");
  app->add_flag("--similar", options->is_similar,
                "Print the cosines of all pairs of texts; vectors then go nowhere but to --out");
  add_encoding_options(app, options->encoding);
  add_batch_option(app, options->batch_size);
  add_model_options(app, options->model);
  add_energy_options(app, options->energy);
  std::vector<Synonyms> words = text_words(TakesPairs::kNo);
  words.push_back(checkpoint_words());
  words.push_back(precision_words());
  words.push_back({{"output", "npy", "o"}, {"--out"}, ""});
  words.push_back({{"normalise", "normalize_embeddings"}, {"--normalize"}, ""});
  words.push_back({{"similarity", "cosine"}, {"--similar"}, ""});
  return {.app = app,
          .examples = {"lmtrain embed my-encoder --text \"A cat.\" --text \"A dog.\" --similar",
                       "lmtrain embed my-encoder --texts sentences.txt --out vectors.npy"},
          .synonyms = std::move(words),
          .run = run_on_ranks(options, embed)};
}

}  // namespace lmtrain
