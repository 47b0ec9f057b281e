// generate: a decoder continues a prompt.
#include <iostream>

#include "base/error.h"
#include "base/text.h"
#include "base/utf8.h"
#include "trainer/commands/command.h"
#include "trainer/commands/language_model.h"
#include "trainer/inference/generate.h"

namespace lmtrain {
namespace {

struct Options {
  std::string checkpoint;
  std::string prompt;
  StartOptions start;
  SamplingOptions sampling;
};

void generate(const Options& options) {
  const LoadedModel loaded = load_model(options.checkpoint);
  const Decoder& decoder = decoder_of(loaded);
  const std::vector<int32_t> tokens = with_start(loaded, options.start, options.prompt);
  if (tokens.empty())
    throw DataError(cat("there is nothing to begin with: the prompt is empty, and texts of ",
                        loaded.checkpoint.string(),
                        " begin with no token; give --prompt or --start-token"));
  const std::vector<int32_t> generated =
      generate_tokens(decoder, loaded.config.model.max_positions, at::kCPU, tokens,
                      loaded.tokenizer, options.sampling);
  std::cout << options.prompt << shown_as_utf8(loaded.tokenizer.decode(generated)) << "\n";
}

void add_sampling_options(CLI::App* app, SamplingOptions& sampling) {
  app->add_option("--max-tokens", sampling.max_new_tokens, "New tokens at most")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app->add_option("--temperature", sampling.temperature,
                  "Divides the logits; 0 always takes the most likely token")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  app->add_option("--top-k", sampling.top_k,
                  "Draw from the k most likely tokens only (0: from all)")
      ->check(CLI::Range(0, 1 << 24))
      ->capture_default_str();
  app->add_option("--top-p", sampling.top_p,
                  "Draw only from the most likely tokens that together reach this probability")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app->add_option("--seed", sampling.seed, "The same seed writes the same text")
      ->capture_default_str();
}

}  // namespace

Command add_generate(CLI::App& program) {
  CLI::App* const app = program.add_subcommand("generate", "Continue a prompt");
  const auto options = std::make_shared<Options>();
  add_checkpoint_argument(app, options->checkpoint);
  app->add_option("--prompt", options->prompt,
                  "Text to continue; without it the model begins a new text");
  add_start_options(app, options->start);
  add_sampling_options(app, options->sampling);
  return {.app = app,
          .examples = {"lmtrain generate runs/quickstart --prompt \"Love is\"",
                       "lmtrain generate runs/quickstart --temperature 0 --max-tokens 20"},
          .synonyms = {checkpoint_words(),
                       start_words(),
                       {{"max_new_tokens", "max_length", "num_tokens", "n_predict", "length", "n"},
                        {"--max-tokens"},
                        ""},
                       {{"input", "text", "start", "p"}, {"--prompt"}, ""},
                       {{"greedy", "do_sample", "temp", "t"},
                        {"--temperature"},
                        "0 always takes the most likely token"},
                       {{"k"}, {"--top-k"}, ""},
                       {{"nucleus"}, {"--top-p"}, ""},
                       {{"random_seed", "manual_seed"}, {"--seed"}, ""},
                       {{"num_samples", "num_return_sequences"},
                        {},
                        "a call writes one text; each --seed writes another"}},
          .run = run_with(options, generate)};
}

}  // namespace lmtrain
