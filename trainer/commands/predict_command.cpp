// predict: what a model's head of labels says of a text or a pair of texts.
#include <iostream>

#include "trainer/commands/command.h"
#include "trainer/commands/language_model.h"
#include "trainer/inference/loaded_model.h"
#include "trainer/inference/predict.h"

namespace lmtrain {
namespace {

struct Options {
  std::string checkpoint;
  std::string text;
  std::string pair;  // empty: the text is alone
  SpecialTokens special_tokens = SpecialTokens::kAsText;
};

void predict(const Options& options) {
  std::cout << predict_labels(load_model(options.checkpoint), options.text, options.pair,
                              options.special_tokens)
                   .dump()
            << "\n";
}

}  // namespace

Command add_predict(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "predict",
      "Print what a model with a head of labels or answers predicts for a text, as JSON");
  const auto options = std::make_shared<Options>();
  add_checkpoint_argument(app, options->checkpoint);
  app->add_option("--text", options->text, "Text, or the question")->required();
  app->add_option("--pair", options->pair, "Second text, or the passage that holds the answer");
  add_special_tokens_option(app, options->special_tokens);
  return {.app = app,
          .examples = {"lmtrain predict my-classifier --text \"A fine film.\"",
                       "lmtrain predict my-reader --text \"Who came?\" --pair \"Then Ann came.\""},
          .synonyms =
              {checkpoint_words(),
               {{"input", "prompt", "question", "premise", "sentence1", "t"}, {"--text"}, ""},
               {{"text_pair", "context", "passage", "hypothesis", "sentence2"}, {"--pair"}, ""}},
          .run = run_with(options, predict)};
}

}  // namespace lmtrain
