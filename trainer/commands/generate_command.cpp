// generate: a decoder continues prompts, or answers them.
#include <iostream>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/log.h"
#include "base/phase.h"
#include "base/text.h"
#include "trainer/commands/generate_options.h"
#include "trainer/commands/language_model.h"
#include "trainer/commands/rank_job.h"
#include "trainer/commands/result_lines.h"
#include "trainer/inference/chat.h"
#include "trainer/inference/generate.h"
#include "trainer/inference/text_file.h"

namespace lmtrain {
namespace {

DecodingOptions decoding_of(const GenerateOptions& options, const LoadedModel& loaded) {
  const SamplingDefaults own = sampling_defaults_of(loaded.manifest.state.companions);
  DecodingOptions decoding = options.decoding;
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
                          : parse_number(std::string_view(text).substr(equals + 1));
    if (!bias) {
      throw ConfigError(
          cat("--logit-bias ", text, " is not of the form TOKEN=NUMBER, such as 50256=-100"));
    }
    const int32_t token = token_named(loaded.tokenizer, text.substr(0, equals), "--logit-bias");
    decoding.logit_bias[token] = *bias;
  }
  return decoding;
}

std::vector<std::string> prompts_of(const GenerateOptions& options) {
  std::vector<std::string> prompts = options.prompts;
  if (!options.prompt_file.empty()) {
    for (TextPair& more : read_texts(options.prompt_file, {.text = "prompt", .pair = ""}))
      prompts.push_back(std::move(more.text));
  }
  if (prompts.empty() && options.is_chat)
    throw ConfigError("--chat wants --prompt: what the user says");
  if (prompts.empty()) prompts.push_back("");
  return prompts;
}

std::vector<int32_t> tokens_of(const LoadedModel& loaded, const GenerateOptions& options,
                               const std::string& prompt, const std::optional<Chat>& chat) {
  if (chat) {
    std::vector<ChatMessage> messages;
    if (!options.system.empty()) messages.push_back({"system", options.system});
    messages.push_back({"user", prompt});
    return chat_tokens(loaded, *chat, messages);
  }
  std::vector<int32_t> tokens = with_start(loaded, options.start, prompt, options.special_tokens);
  if (tokens.empty()) {
    throw DataError(cat("there is nothing to begin with: the prompt is empty, and texts of ",
                        loaded.checkpoint.string(),
                        " begin with no token; give --prompt or --start-token"));
  }
  return tokens;
}

std::optional<Chat> chat_asked_for(const LoadedModel& loaded, const GenerateOptions& options) {
  if (!options.is_chat) return std::nullopt;
  Chat chat = chat_of(loaded.manifest.state.companions, loaded.tokenizer);
  if (chat.has_template()) return chat;
  throw ConfigError(cat("--chat: ", loaded.checkpoint.string(),
                        " came with no chat template; give --prompt as the model expects it"));
}

// New tokens that --max-length leaves.
int64_t max_new_tokens(const GenerateOptions& options, const std::vector<int32_t>& prompt) {
  const int64_t most = options.decoding.max_new_tokens;
  if (options.max_length == 0) return most;
  const int64_t left = options.max_length - static_cast<int64_t>(prompt.size());
  if (left <= 0) {
    throw ConfigError(cat("--max-length ", options.max_length,
                          " leaves no room behind a prompt of ", prompt.size(),
                          " tokens; raise it, or give --max-new-tokens"));
  }
  return std::min(most, left);
}

std::string line_of(const GeneratedText& text, const std::string& prompt) {
  nlohmann::ordered_json line = {{"index", text.prompt},
                                 {"sequence", text.number},
                                 {"prompt", prompt},
                                 {"text", text.text},
                                 {"finish_reason", text.finish_reason},
                                 {"ids", text.tokens},
                                 {"log_probability", text.log_probability}};
  if (text.score) line["score"] = *text.score;
  return json_line(line);
}

void require_sense_of_beams(const GenerateOptions& options) {
  const int64_t beams = options.beams.num_beams;
  if (beams == 1) return;
  const bool draws = options.sampling.temperature.value_or(0) > 0 || options.sampling.top_k ||
                     options.sampling.top_p || options.decoding.min_p > 0 ||
                     options.decoding.seed != DecodingOptions().seed;
  if (draws) {
    throw ConfigError(
        "--num-beams looks for the likeliest text without chance; leave out --temperature, --top-k, "
        "--top-p, --min-p and --seed");
  }
  if (options.num_texts <= beams) return;
  throw ConfigError(cat("--num-return-sequences ", options.num_texts, " is more than the ", beams,
                        " of --num-beams; a search returns one text a beam at most"));
}

std::vector<TextRequest> requests_of(const LoadedModel& loaded, const GenerateOptions& options,
                                     const std::vector<std::string>& prompts) {
  const std::optional<Chat> chat = chat_asked_for(loaded, options);
  std::vector<TextRequest> requests;
  for (const std::string& prompt : prompts) {
    TextRequest request{tokens_of(loaded, options, prompt, chat), decoding_of(options, loaded),
                        options.stops};
    request.decoding.max_new_tokens = max_new_tokens(options, request.prompt);
    requests.push_back(std::move(request));
  }
  return requests;
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

// One text, as it comes.
void stream(const LoadedModel& loaded, const Decoder& decoder, const GenerateOptions& options,
            const std::string& prompt, const TextRequest& request, CallEnergy* energy) {
  if (energy != nullptr) energy->begin_inference();
  if (!options.is_chat) std::cout << prompt << std::flush;
  int64_t num_tokens = 0;
  if (options.beams.num_beams > 1) {
    for (const GeneratedText& text : search_texts(loaded, decoder, request, 1, options.beams)) {
      std::cout << text.text;
      num_tokens = static_cast<int64_t>(text.tokens.size());
    }
  } else {
    TextListener listener;
    listener.on_text = [&](size_t, size_t, const std::string& more) {
      ++num_tokens;
      std::cout << more << std::flush;
    };
    generate_texts(loaded, decoder, {request}, 1, 1, listener);
  }
  std::cout << "\n" << std::flush;
  if (energy != nullptr) log_info(CallEnergy::sentence(energy->summary(num_tokens)));
}

// A line of JSON for each text.
void write_lines(const LoadedModel& loaded, const Decoder& decoder, const GenerateOptions& options,
                 const std::vector<std::string>& prompts, const std::vector<TextRequest>& requests,
                 CallEnergy* energy) {
  const auto per_prompt = static_cast<size_t>(options.num_texts);
  ResultLines lines(prompts.size() * per_prompt, energy);
  if (options.beams.num_beams > 1) {
    size_t place = 0;  // a search may find fewer texts than it was asked for
    for (size_t i = 0; i < requests.size(); ++i) {
      for (GeneratedText& text :
           search_texts(loaded, decoder, requests[i], options.num_texts, options.beams)) {
        text.prompt = i;
        lines.add(place++, line_of(text, prompts[i]), static_cast<int64_t>(text.tokens.size()));
      }
    }
    lines.finish();
    return;
  }
  TextListener listener;
  listener.on_text = [&](size_t, size_t, const std::string&) { lines.add_tokens(1); };
  listener.on_end = [&](const GeneratedText& done) {
    lines.add(done.prompt * per_prompt + done.number, line_of(done, prompts[done.prompt]), 0);
  };
  const EngineTimes times =
      generate_texts(loaded, decoder, requests, options.num_texts, options.batch_size, listener);
  lines.finish();
  log_info(times_text(times));
}

void generate(const GenerateOptions& options, Launch& launch) {
  require_sense_of_beams(options);
  const std::vector<std::string> prompts = prompts_of(options);
  const auto energy = start_metering(options.energy, launch);
  const LoadedModel loaded = load_on_ranks(options.checkpoint, options.model, launch);
  const Decoder& decoder = decoder_of(loaded);
  const std::vector<TextRequest> requests = requests_of(loaded, options, prompts);
  if (prompts.size() == 1 && options.num_texts == 1 && !options.as_json) {
    stream(loaded, decoder, options, prompts[0], requests[0], energy.get());
  } else {
    write_lines(loaded, decoder, options, prompts, requests, energy.get());
  }
}

}  // namespace

Command add_generate(CLI::App& program) {
  CLI::App* const app = program.add_subcommand("generate", "Continue prompts");
  const auto options = std::make_shared<GenerateOptions>();
  add_generate_options(app, *options);
  return {.app = app,
          .examples = {"lmtrain generate runs/quickstart --prompt \"Love is\"",
                       "lmtrain generate my-chat-model --chat --prompt \"Where is Paris?\"",
                       "lmtrain generate runs/quickstart --temperature 0 --max-new-tokens 20",
                       "lmtrain generate runs/quickstart --prompts prompts.jsonl --stop $'\\n'"},
          .synonyms = generate_words(),
          .run = run_on_ranks(options, generate)};
}

}  // namespace lmtrain
