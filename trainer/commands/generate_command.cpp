// generate: a decoder continues prompts.
#include <charconv>
#include <cmath>
#include <iostream>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/log.h"
#include "base/phase.h"
#include "base/text.h"
#include "models/few_rows.h"
#include "trainer/commands/command.h"
#include "trainer/commands/language_model.h"
#include "trainer/inference/generate.h"
#include "trainer/inference/prompts.h"

namespace lmtrain {
namespace {

struct Options {
  std::string checkpoint;
  std::vector<std::string> prompts;
  std::string prompt_file;
  StartOptions start;
  SpecialTokens special_tokens = SpecialTokens::kAsText;
  Precision precision = Precision::kAuto;
  TextOptions text;
  int64_t max_length = 0;  // of prompt and text; 0: no such limit
  // Those that are not given are the model's own, else lmtrain's.
  SamplingDefaults sampling;
  std::vector<std::string> stop_tokens;
  std::vector<std::string> logit_bias;
  bool as_json = false;
  BeamOptions beams = {.num_beams = 1};
};

std::optional<double> finite_number(std::string_view text) {
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || at != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

DecodingOptions decoding_of(const Options& options, const LoadedModel& loaded) {
  const SamplingDefaults own = sampling_defaults_of(loaded.manifest.state.companions);
  DecodingOptions decoding = options.text.decoding;
  const auto choose = [](auto& value, const auto& given, const auto& by_model) {
    if (given || by_model) value = given ? *given : *by_model;
  };
  choose(decoding.temperature, options.sampling.temperature, own.temperature);
  choose(decoding.top_k, options.sampling.top_k, own.top_k);
  choose(decoding.top_p, options.sampling.top_p, own.top_p);
  decoding.end_tokens = loaded.end_tokens;
  for (const std::string& name : options.stop_tokens)
    decoding.end_tokens.push_back(token_named(loaded.tokenizer, name, "--stop-token"));
  for (const std::string& text : options.logit_bias) {
    const size_t equals = text.rfind('=');
    const auto bias = equals == std::string::npos
                          ? std::nullopt
                          : finite_number(std::string_view(text).substr(equals + 1));
    if (!bias) {
      throw ConfigError(
          cat("--logit-bias ", text, " is not of the form TOKEN=NUMBER, such as 50256=-100"));
    }
    const int32_t token = token_named(loaded.tokenizer, text.substr(0, equals), "--logit-bias");
    decoding.logit_bias[token] = *bias;
  }
  return decoding;
}

std::vector<std::string> prompts_of(const Options& options) {
  std::vector<std::string> prompts = options.prompts;
  if (!options.prompt_file.empty()) {
    const std::vector<std::string> more = read_texts(options.prompt_file, "prompt");
    prompts.insert(prompts.end(), more.begin(), more.end());
  }
  if (prompts.empty()) prompts.push_back("");
  return prompts;
}

std::vector<int32_t> tokens_of(const LoadedModel& loaded, const Options& options,
                               const std::string& prompt) {
  std::vector<int32_t> tokens = with_start(loaded, options.start, prompt, options.special_tokens);
  if (tokens.empty()) {
    throw DataError(cat("there is nothing to begin with: the prompt is empty, and texts of ",
                        loaded.checkpoint.string(),
                        " begin with no token; give --prompt or --start-token"));
  }
  return tokens;
}

// New tokens that --max-length leaves.
int64_t max_new_tokens(const Options& options, const std::vector<int32_t>& prompt) {
  const int64_t most = options.text.decoding.max_new_tokens;
  if (options.max_length == 0) return most;
  const int64_t left = options.max_length - static_cast<int64_t>(prompt.size());
  if (left <= 0) {
    throw ConfigError(cat("--max-length ", options.max_length,
                          " leaves no room behind a prompt of ", prompt.size(),
                          " tokens; raise it, or give --max-new-tokens"));
  }
  return std::min(most, left);
}

std::string as_json(const GeneratedText& text, const std::string& prompt) {
  nlohmann::ordered_json line = {{"index", text.prompt},
                                 {"sequence", text.number},
                                 {"prompt", prompt},
                                 {"text", text.text},
                                 {"finish_reason", text.finish_reason},
                                 {"ids", text.tokens},
                                 {"log_probability", text.log_probability}};
  if (text.score) line["score"] = *text.score;
  return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

// Writes the lines of all texts in the order of the prompts, each as soon as it may.
class OrderedLines {
 public:
  explicit OrderedLines(int64_t per_prompt) : per_prompt_(static_cast<size_t>(per_prompt)) {}

  void add(size_t prompt, size_t number, std::string line) {
    lines_[prompt * per_prompt_ + number] = std::move(line);
    for (; !lines_.empty() && lines_.begin()->first == num_written_; ++num_written_) {
      std::cout << lines_.begin()->second << "\n" << std::flush;
      lines_.erase(lines_.begin());
    }
  }

 private:
  size_t per_prompt_;
  size_t num_written_ = 0;
  std::map<size_t, std::string> lines_;
};

void require_sense_of_beams(const Options& options) {
  const int64_t beams = options.beams.num_beams;
  if (beams == 1) return;
  if (options.text.num_texts > beams) {
    throw ConfigError(cat("--num-return-sequences ", options.text.num_texts, " is more than the ",
                          beams, " of --num-beams; a search returns one text a beam at most"));
  }
  if (!options.text.stops.empty())
    throw ConfigError("--stop cannot be combined with --num-beams; --stop-token can");
}

// Each prompt by itself.
void write_beams(const LoadedModel& loaded, const Decoder& decoder, const Options& options,
                 const TextOptions& text, const std::vector<std::string>& prompts,
                 const std::vector<Prompt>& inputs) {
  const bool is_plain = prompts.size() == 1 && text.num_texts == 1 && !options.as_json;
  for (size_t i = 0; i < inputs.size(); ++i) {
    for (GeneratedText& found : search_texts(loaded, decoder, inputs[i], text, options.beams)) {
      found.prompt = i;
      std::cout << (is_plain ? prompts[i] + found.text : as_json(found, prompts[i])) << "\n"
                << std::flush;
    }
  }
}

std::string times_text(const EngineTimes& times) {
  const auto part = [](int64_t tokens, const char* what, double seconds) {
    return cat(with_commas(tokens), what, fixed(seconds, 3),
               " s: ", fixed(static_cast<double>(tokens) / std::max(seconds, 1e-9), 1),
               " tokens/s");
  };
  return cat(part(times.prompt_tokens, " tokens of prompts read in ", times.prompt_seconds), "; ",
             part(times.decoded_tokens, " further tokens written in ", times.decoding_seconds));
}

void generate(const Options& options) {
  require_sense_of_beams(options);
  const std::vector<std::string> prompts = prompts_of(options);
  const LoadedModel loaded = load_model(options.checkpoint, options.precision);
  const Decoder& decoder = decoder_of(loaded);
  TextOptions text = options.text;
  text.decoding = decoding_of(options, loaded);
  std::vector<Prompt> inputs;
  for (const std::string& prompt : prompts) {
    std::vector<int32_t> tokens = tokens_of(loaded, options, prompt);
    const int64_t most = max_new_tokens(options, tokens);
    inputs.push_back({std::move(tokens), most});
  }
  if (options.beams.num_beams > 1) {
    write_beams(loaded, decoder, options, text, prompts, inputs);
    return;
  }
  const bool streams = prompts.size() == 1 && text.num_texts == 1 && !options.as_json;
  OrderedLines lines(text.num_texts);
  int64_t num_tokens = 0;
  size_t num_done = 0;
  const double begin = monotonic_seconds();
  const auto rate = [&] {
    return fixed(static_cast<double>(num_tokens) / (monotonic_seconds() - begin), 1);
  };
  if (streams) std::cout << prompts[0] << std::flush;
  TextListener listener;
  listener.on_text = [&](size_t, size_t, const std::string& more) {
    ++num_tokens;
    if (streams) {
      std::cout << more << std::flush;
    } else {
      show_progress_line(cat(num_done, "/", prompts.size() * static_cast<size_t>(text.num_texts),
                             " texts  ", rate(), " tokens/s"));
    }
  };
  listener.on_end = [&](const GeneratedText& done) {
    ++num_done;
    if (streams) {
      std::cout << "\n";
    } else {
      lines.add(done.prompt, done.number, as_json(done, prompts[done.prompt]));
    }
  };
  const EngineTimes times = generate_texts(loaded, decoder, inputs, text, listener);
  show_progress_line("");
  if (!streams) log_info(times_text(times));
}

void add_prompt_options(CLI::App* app, Options& options) {
  app->add_option("--prompt", options.prompts,
                  "Text to continue, or several; without it the model begins a new text");
  app->add_option("--prompts", options.prompt_file,
                  "File of prompts: one a line, or with the ending .jsonl objects with \"prompt\"");
  add_start_options(app, options.start);
  add_special_tokens_option(app, options.special_tokens);
}

void add_length_options(CLI::App* app, Options& options) {
  DecodingOptions& decoding = options.text.decoding;
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
  app->add_option("--stop", options.text.stops, "End before this text, or before one of several")
      ->check([](const std::string& text) {
        return text.empty() ? std::string("an empty text stops nothing") : std::string();
      });
  app->add_option("--stop-token", options.stop_tokens,
                  "End at this special token or id too, or at one of several");
}

void add_sampling_options(CLI::App* app, Options& options) {
  DecodingOptions& decoding = options.text.decoding;
  const auto or_usual = [](const std::string& text, auto value) {
    return cat(text,
               " (default: as the generation_config.json that came with the model says, else ",
               value, ")");
  };
  app->add_option(
         "--temperature", options.sampling.temperature,
         or_usual("Divides the logits; 0 always takes the most likely token", decoding.temperature))
      ->check(CLI::Range(0.0, 100.0));
  app->add_option("--top-k", options.sampling.top_k,
                  or_usual("Draw from the k most likely tokens only; 0: from all", decoding.top_k))
      ->check(CLI::Range(0, 1 << 24));
  app->add_option(
         "--top-p", options.sampling.top_p,
         or_usual("Draw only from the most likely tokens that together reach this probability",
                  decoding.top_p))
      ->check(CLI::Range(0.0, 1.0));
  app->add_option("--min-p", decoding.min_p,
                  "Draw only from tokens at least this share as likely as the likeliest")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app->add_option("--seed", decoding.seed,
                  "The same seed writes the same text, whatever else is written beside it")
      ->capture_default_str();
}

void add_penalty_options(CLI::App* app, Options& options) {
  DecodingOptions& decoding = options.text.decoding;
  app->add_option("--repetition-penalty", decoding.repetition_penalty,
                  "Divides positive logits of tokens that have come, prompt included, and "
                  "multiplies negative ones")
      ->check(CLI::Range(0.01, 100.0))
      ->capture_default_str();
  app->add_option("--presence-penalty", decoding.presence_penalty,
                  "Is subtracted from the logit of each new token that has come")
      ->check(CLI::Range(-100.0, 100.0))
      ->capture_default_str();
  app->add_option("--frequency-penalty", decoding.frequency_penalty,
                  "Is subtracted for each time that it has come")
      ->check(CLI::Range(-100.0, 100.0))
      ->capture_default_str();
  app->add_option("--no-repeat-ngram-size", decoding.no_repeat_ngram_size,
                  "No n-gram of this length comes twice; 0: no such ban")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  app->add_option("--logit-bias", options.logit_bias,
                  "TOKEN=NUMBER, which is added to the token's logit; or several");
}

void add_beam_options(CLI::App* app, Options& options) {
  app->add_option("--num-beams", options.beams.num_beams,
                  "Look for the likeliest text with so many beginnings at a time, without chance; "
                  "1: no such search")
      ->check(CLI::Range(int64_t{1}, kMostFewRows))
      ->capture_default_str();
  app->add_option("--length-penalty", options.beams.length_penalty,
                  "Beams are compared by their log-probability over their length to this power")
      ->check(CLI::Range(-100.0, 100.0))
      ->capture_default_str();
  const std::map<std::string, EarlyStopping> names = {{"false", EarlyStopping::kWhenHopeless},
                                                      {"true", EarlyStopping::kWhenFull},
                                                      {"never", EarlyStopping::kNever}};
  app->add_option("--early-stopping", options.beams.early_stopping,
                  "true: end once --num-beams texts have ended; false: once no beginning looks "
                  "better than them; never: once none can be")
      ->transform(CLI::CheckedTransformer(names))
      ->default_str("false");
}

void add_output_options(CLI::App* app, Options& options) {
  app->add_option("--num-return-sequences", options.text.num_texts,
                  "Texts of each prompt, with seeds counted from --seed")
      ->check(CLI::Range(1, 1 << 16))
      ->capture_default_str();
  app->add_option("--batch-size", options.text.batch_size, "Texts that are written at once")
      ->check(CLI::Range(int64_t{1}, kMostFewRows))
      ->capture_default_str();
  app->add_flag("--json", options.as_json,
                "Print a line of JSON for each text, as several texts do anyway");
}

}  // namespace

Command add_generate(CLI::App& program) {
  CLI::App* const app = program.add_subcommand("generate", "Continue prompts");
  const auto options = std::make_shared<Options>();
  add_checkpoint_argument(app, options->checkpoint);
  add_precision_option(app, options->precision);
  add_prompt_options(app, *options);
  add_length_options(app, *options);
  add_sampling_options(app, *options);
  add_penalty_options(app, *options);
  add_beam_options(app, *options);
  add_output_options(app, *options);
  return {.app = app,
          .examples = {"lmtrain generate runs/quickstart --prompt \"Love is\"",
                       "lmtrain generate runs/quickstart --temperature 0 --max-new-tokens 20",
                       "lmtrain generate runs/quickstart --prompts prompts.jsonl --stop \"\\n\""},
          .synonyms = {checkpoint_words(),
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
                       {{"num_samples", "n", "best_of"}, {"--num-return-sequences"}, ""}},
          .run = run_with(options, generate)};
}

}  // namespace lmtrain
