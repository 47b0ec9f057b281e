#include "trainer/commands/generate_options.h"

#include "base/text.h"
#include "models/few_rows.h"

namespace lmtrain {
namespace {

void add_prompt_options(CLI::App* app, GenerateOptions& options) {
  add_texts(app, "--prompt", options.prompts,
            "Text to continue; may be given several times; without it the model begins a new text");
  app->add_option("--prompts", options.prompt_file,
                  "File of prompts: one a line, or with the ending .jsonl objects with \"prompt\"");
  CLI::Option* const chat = app->add_flag(
      "--chat", options.is_chat,
      "Take each prompt for what a user says, and write it with the chat template that came with "
      "the model");
  app->add_option("--system", options.system, "With --chat: what the system says before it")
      ->needs(chat);
  add_start_options(app, options.start);
  add_special_tokens_option(app, options.special_tokens);
}

void add_length_options(CLI::App* app, GenerateOptions& options) {
  DecodingOptions& decoding = options.decoding;
  app->add_option("--max-new-tokens,--max-tokens", decoding.max_new_tokens, "New tokens at most")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app->add_option("--max-length", options.max_length,
                  "Tokens of prompt and text at most; 0: no such limit")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  app->add_option("--min-new-tokens", decoding.min_new_tokens, "No end token before so many")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  add_texts(app, "--stop", options.stops, "End before this text; may be given several times")
      ->check(not_empty);
  add_texts(app, "--stop-token", options.stop_tokens,
            "End at this special token or id too; may be given several times");
}

void add_sampling_options(CLI::App* app, GenerateOptions& options) {
  DecodingOptions& decoding = options.decoding;
  const auto or_usual = [](const std::string& text, auto value) {
    return cat(text,
               " (default: as the generation_config.json that came with the model says, else ",
               value, ")");
  };
  app->add_option(
         "--temperature", options.sampling.temperature,
         or_usual("Divides the logits; 0 always takes the most likely token", decoding.temperature))
      ->check(number_range(0.0, 100.0));
  app->add_option("--top-k", options.sampling.top_k,
                  or_usual("Draw from the k most likely tokens only; 0: from all", decoding.top_k))
      ->check(CLI::Range(0, 1 << 24));
  app->add_option(
         "--top-p", options.sampling.top_p,
         or_usual("Draw only from the most likely tokens that together reach this probability",
                  decoding.top_p))
      ->check(number_range(0.0, 1.0));
  app->add_option("--min-p", decoding.min_p,
                  "Draw only from tokens at least this share as likely as the likeliest")
      ->check(number_range(0.0, 1.0))
      ->capture_default_str();
  app->add_option("--seed", decoding.seed,
                  "The same seed writes the same text, whatever else is written beside it")
      ->capture_default_str();
}

void add_penalty_options(CLI::App* app, GenerateOptions& options) {
  DecodingOptions& decoding = options.decoding;
  app->add_option("--repetition-penalty", decoding.repetition_penalty,
                  "Divides positive logits of tokens that have come, prompt included, and "
                  "multiplies negative ones")
      ->check(number_range(0.01, 100.0))
      ->capture_default_str();
  app->add_option("--presence-penalty", decoding.presence_penalty,
                  "Is subtracted from the logit of each new token that has come")
      ->check(number_range(-100.0, 100.0))
      ->capture_default_str();
  app->add_option("--frequency-penalty", decoding.frequency_penalty,
                  "Is subtracted for each time that it has come")
      ->check(number_range(-100.0, 100.0))
      ->capture_default_str();
  app->add_option("--no-repeat-ngram-size", decoding.no_repeat_ngram_size,
                  "No n-gram of this length comes twice; 0: no such ban")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  add_texts(app, "--logit-bias", options.logit_bias,
            "TOKEN=NUMBER, which is added to the token's logit; may be given several times");
}

void add_beam_options(CLI::App* app, GenerateOptions& options) {
  app->add_option("--num-beams", options.beams.num_beams,
                  "Look for the likeliest text with so many beginnings at a time, without chance; "
                  "1: no such search")
      ->check(CLI::Range(int64_t{1}, kMostFewRows))
      ->capture_default_str();
  app->add_option("--length-penalty", options.beams.length_penalty,
                  "Beams are compared by their log-probability over their length to this power")
      ->check(number_range(-100.0, 100.0))
      ->capture_default_str();
  add_choice(app, "--early-stopping", options.beams.early_stopping,
             "true: end once --num-beams texts have ended; false: once no beginning looks better "
             "than them; never: once none can be");
}

void add_output_options(CLI::App* app, GenerateOptions& options) {
  app->add_option("--num-return-sequences", options.num_texts,
                  "Texts of each prompt, with seeds counted from --seed")
      ->check(CLI::Range(1, 1 << 16))
      ->capture_default_str();
  app->add_option("--batch-size", options.batch_size, "Texts that are written at once")
      ->check(CLI::Range(int64_t{1}, kMostFewRows))
      ->capture_default_str();
  app->add_flag("--json", options.as_json,
                "Print a line of JSON for each text, as several texts do anyway");
}

}  // namespace

void add_generate_options(CLI::App* app, GenerateOptions& options) {
  add_checkpoint_argument(app, options.checkpoint);
  add_model_options(app, options.model);
  add_prompt_options(app, options);
  add_length_options(app, options);
  add_sampling_options(app, options);
  add_penalty_options(app, options);
  add_beam_options(app, options);
  add_output_options(app, options);
  add_energy_options(app, options.energy);
}

std::vector<Synonyms> generate_words() {
  return {checkpoint_words(),
          start_words(),
          precision_words(),
          {{"num_tokens", "n_predict", "length"}, {"--max-new-tokens"}, ""},
          {{"input", "text", "start", "p"}, {"--prompt"}, ""},
          {{"file", "input_file", "prompt_file"}, {"--prompts"}, ""},
          {{"greedy", "do_sample", "temp", "t"},
           {"--temperature"},
           "0 always takes the most likely token"},
          {{"k"}, {"--top-k"}, ""},
          {{"nucleus"}, {"--top-p"}, ""},
          {{"random_seed", "manual_seed"}, {"--seed"}, ""},
          {{"beams", "beam_size", "beam_width"}, {"--num-beams"}, ""},
          {{"stop_strings", "stop_sequence"}, {"--stop"}, ""},
          {{"eos_token_id", "stop_token_ids"}, {"--stop-token"}, ""},
          {{"num_samples", "n", "best_of"}, {"--num-return-sequences"}, ""}};
}

}  // namespace lmtrain
