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
  SpecialTokens special_tokens = SpecialTokens::kAsText;
  int64_t max_new_tokens = SamplingOptions().max_new_tokens;
  uint64_t seed = SamplingOptions().seed;
  // Those that are not given are the model's own, else lmtrain's.
  SamplingDefaults sampling;
};

SamplingOptions sampling_of(const Options& options, const LoadedModel& loaded) {
  const SamplingDefaults own = sampling_defaults_of(loaded.manifest.state.companions);
  SamplingOptions sampling;
  sampling.max_new_tokens = options.max_new_tokens;
  sampling.seed = options.seed;
  const auto choose = [](auto& value, const auto& given, const auto& by_model) {
    if (given || by_model) value = given ? *given : *by_model;
  };
  choose(sampling.temperature, options.sampling.temperature, own.temperature);
  choose(sampling.top_k, options.sampling.top_k, own.top_k);
  choose(sampling.top_p, options.sampling.top_p, own.top_p);
  return sampling;
}

void generate(const Options& options) {
  const LoadedModel loaded = load_model(options.checkpoint);
  const Decoder& decoder = decoder_of(loaded);
  const std::vector<int32_t> tokens =
      with_start(loaded, options.start, options.prompt, options.special_tokens);
  if (tokens.empty())
    throw DataError(cat("there is nothing to begin with: the prompt is empty, and texts of ",
                        loaded.checkpoint.string(),
                        " begin with no token; give --prompt or --start-token"));
  const std::vector<int32_t> generated = generate_tokens(
      decoder, loaded.config.model.max_positions, at::kCPU, tokens, loaded.tokenizer.vocab_size(),
      loaded.end_tokens, sampling_of(options, loaded));
  std::cout << options.prompt << shown_as_utf8(loaded.tokenizer.decode(generated)) << "\n";
}

void add_sampling_options(CLI::App* app, Options& options) {
  const SamplingOptions usual;
  const auto or_usual = [](const std::string& text, auto value) {
    return cat(text,
               " (default: as the generation_config.json that came with the model says, else ",
               value, ")");
  };
  app->add_option("--max-tokens", options.max_new_tokens, "New tokens at most")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app->add_option(
         "--temperature", options.sampling.temperature,
         or_usual("Divides the logits; 0 always takes the most likely token", usual.temperature))
      ->check(CLI::Range(0.0, 100.0));
  app->add_option("--top-k", options.sampling.top_k,
                  or_usual("Draw from the k most likely tokens only; 0: from all", usual.top_k))
      ->check(CLI::Range(0, 1 << 24));
  app->add_option(
         "--top-p", options.sampling.top_p,
         or_usual("Draw only from the most likely tokens that together reach this probability",
                  usual.top_p))
      ->check(CLI::Range(0.0, 1.0));
  app->add_option("--seed", options.seed, "The same seed writes the same text")
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
  add_special_tokens_option(app, options->special_tokens);
  add_sampling_options(app, *options);
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
