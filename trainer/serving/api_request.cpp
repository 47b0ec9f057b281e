#include "trainer/serving/api_request.h"

#include <algorithm>
#include <cmath>
#include <random>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/strict_json.h"
#include "base/text.h"
#include "trainer/inference/chat.h"

namespace lmtrain {
namespace {

using nlohmann::json;

constexpr int64_t kDefaultMaxTokens = 16;  // of OpenAI's completions
constexpr int64_t kMostTop = 100;
constexpr size_t kMostStops = 16;

// The keys of a request. What it does not read is refused, so that nothing is silently ignored.
class Body {
 public:
  explicit Body(const json& value) : object_(value, "the request") {}

  // Null where the key is absent or null.
  const json* find(const char* key) {
    const json* const value = object_.find(key);
    return value == nullptr || value->is_null() ? nullptr : value;
  }
  double number(const char* key, double when_absent, double least, double most) {
    const json* const value = find(key);
    if (value == nullptr) return when_absent;
    const bool fits =
        value->is_number() && value->get<double>() >= least && value->get<double>() <= most;
    if (!fits) {
      throw DataError(cat(key, " is ", show_value(*value), ", not a number from ", shortest(least),
                          " to ", shortest(most)));
    }
    return value->get<double>();
  }
  int64_t integer(const char* key, int64_t when_absent, int64_t least, int64_t most) {
    const json* const value = find(key);
    return value == nullptr ? when_absent : json_integer(*value, least, most, key);
  }
  bool boolean(const char* key) {
    const json* const value = find(key);
    if (value != nullptr && !value->is_boolean())
      throw DataError(cat(key, " is ", show_value(*value), ", neither true nor false"));
    return value != nullptr && value->get<bool>();
  }
  std::string text(const char* key) {
    const json* const value = find(key);
    return value == nullptr ? "" : json_text(*value, key);
  }
  void finish() const { object_.finish(); }

 private:
  JsonObject object_;
};

std::string model_of(Body& body, const std::string& served) {
  const std::string model = body.text("model");
  if (!model.empty() && model != served) {
    throw ApiError(
        404, "invalid_request_error",
        cat("the model ", show_text(model), " is not here; this server has ", show_text(served)));
  }
  body.text("user");  // who asks; it changes nothing
  return served;
}

std::vector<std::string> texts_in(const json& value, const char* key) {
  if (value.is_string()) return {value.get<std::string>()};
  if (!value.is_array()) throw DataError(cat(key, " is neither a text nor a list"));
  std::vector<std::string> texts;
  for (const json& one : value) texts.push_back(json_text(one, key));
  return texts;
}

std::vector<int32_t> ids_in(const json& value, int64_t vocab_size) {
  std::vector<int32_t> ids;
  for (const json& id : value)
    ids.push_back(static_cast<int32_t>(json_integer(id, 0, vocab_size - 1, "prompt")));
  return ids;
}

void add_prompt(CompletionRequest& request, const LoadedModel& loaded, const json& value) {
  std::vector<int32_t> tokens;
  size_t num_start_tokens = 0;
  std::string text;
  if (value.is_string()) {
    text = value.get<std::string>();
    if (loaded.start_token >= 0) tokens.push_back(loaded.start_token);
    num_start_tokens = tokens.size();
    loaded.tokenizer.encode(text, tokens);
  } else {
    tokens = ids_in(value, loaded.tokenizer.vocab_size());
    text = loaded.tokenizer.decode(tokens, /*with_special_tokens=*/true);
  }
  if (tokens.empty())
    throw DataError("the prompt is empty, and the model's texts begin with no token");
  request.prompt_texts.push_back(std::move(text));
  request.prompts.push_back(std::move(tokens));
  request.num_start_tokens.push_back(num_start_tokens);
}

// A text, a list of texts, a list of ids, or a list of such lists.
void read_prompts(CompletionRequest& request, Body& body, const LoadedModel& loaded) {
  const json* const prompt = body.find("prompt");
  if (prompt == nullptr) throw DataError("the request has no prompt");
  const bool is_list = prompt->is_array() && !prompt->empty() && !(*prompt)[0].is_number();
  for (const json& one : is_list ? *prompt : json::array({*prompt})) {
    if (!one.is_string() && !(one.is_array() && !one.empty()))
      throw DataError("prompt is neither a text, nor a list of ids, nor a list of these");
    add_prompt(request, loaded, one);
  }
}

std::vector<std::string> read_stops(Body& body) {
  const json* const value = body.find("stop");
  if (value == nullptr) return {};
  std::vector<std::string> stops = texts_in(*value, "stop");
  if (stops.size() > kMostStops) throw DataError(cat("stop has more than ", kMostStops, " texts"));
  std::erase_if(stops, [](const std::string& stop) { return stop.empty(); });
  return stops;
}

uint64_t drawn_seed() {
  std::random_device source;
  return (uint64_t{source()} << 32U) | source();
}

void read_decoding(DecodingOptions& decoding, Body& body, const LoadedModel& loaded) {
  decoding.temperature = body.number("temperature", 1.0, 0.0, 100.0);
  decoding.top_p = body.number("top_p", 1.0, 0.0, 1.0);
  decoding.min_p = body.number("min_p", 0.0, 0.0, 1.0);
  decoding.top_k = std::max<int64_t>(0, body.integer("top_k", 0, -1, 1 << 24));
  decoding.presence_penalty = body.number("presence_penalty", 0.0, -100.0, 100.0);
  decoding.frequency_penalty = body.number("frequency_penalty", 0.0, -100.0, 100.0);
  decoding.repetition_penalty = body.number("repetition_penalty", 1.0, 0.01, 100.0);
  decoding.min_new_tokens = body.integer("min_tokens", 0, 0, 1 << 20);
  decoding.end_tokens = loaded.end_tokens;
  const int64_t vocab_size = loaded.tokenizer.vocab_size();
  if (const json* const ids = body.find("stop_token_ids")) {
    if (!ids->is_array()) throw DataError("stop_token_ids is no list");
    for (const json& id : *ids)
      decoding.end_tokens.push_back(
          static_cast<int32_t>(json_integer(id, 0, vocab_size - 1, "stop_token_ids")));
  }
  if (const json* const bias = body.find("logit_bias")) {
    if (!bias->is_object()) throw DataError("logit_bias is no object");
    for (const auto& [name, value] : bias->items()) {
      const auto id = parse_integer(name);
      if (!id || *id < 0 || *id >= vocab_size || !value.is_number())
        throw DataError(cat("logit_bias has ", show_text(name), ": ", show_value(value),
                            ", which is no token and number"));
      decoding.logit_bias[static_cast<int32_t>(*id)] = value.get<double>();
    }
  }
  const json* const seed = body.find("seed");
  decoding.seed = seed == nullptr
                      ? drawn_seed()
                      : static_cast<uint64_t>(json_integer(*seed, INT64_MIN, INT64_MAX, "seed"));
}

void read_streaming(CompletionRequest& request, Body& body) {
  request.streams = body.boolean("stream");
  const json* const options = body.find("stream_options");
  if (options == nullptr) return;
  Body inner(*options);
  request.streams_usage = inner.boolean("include_usage");
  inner.boolean("include_obfuscation");  // nothing is obfuscated here
  inner.finish();
}

void read_number_of_texts(CompletionRequest& request, Body& body, const ApiLimits& limits) {
  request.num_texts = body.integer("n", 1, 1, 1 << 16);
  const auto all = static_cast<int64_t>(request.prompts.size()) * request.num_texts;
  if (all > limits.most_texts) {
    throw DataError(cat("the request is for ", all, " texts, and this server writes at most ",
                        limits.most_texts, " for one"));
  }
}

// New tokens: as many as asked for, which must fit behind the longest prompt.
int64_t new_tokens_of(const CompletionRequest& request, const LoadedModel& loaded,
                      std::optional<int64_t> wanted, int64_t when_absent) {
  size_t longest = 0;
  for (const auto& prompt : request.prompts) longest = std::max(longest, prompt.size());
  const int64_t positions = loaded.config.model.max_positions;
  const int64_t left = positions - static_cast<int64_t>(longest);
  if (left < wanted.value_or(1)) {
    throw DataError(cat("the prompt has ", longest, " tokens", wanted ? " and max_tokens is " : "",
                        wanted ? cat(*wanted) : "", ", more than the model's ", positions,
                        " positions; shorten it"));
  }
  return wanted.value_or(std::min(left, when_absent));
}

std::optional<int64_t> optional_integer(Body& body, const char* key, int64_t least, int64_t most) {
  if (body.find(key) == nullptr) return std::nullopt;
  return body.integer(key, 0, least, most);
}

// The content of a message: a text, or a list of parts that are texts.
std::string content_of(const json& value) {
  if (value.is_null()) return "";
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) throw DataError("messages: content is no text");
  std::string text;
  for (const json& part : value) {
    JsonObject object(part, "the request: messages: content");
    if (const std::string type = object.text("type"); type != "text")
      throw DataError(cat("messages: content has a part of type ", show_text(type),
                          "; this model reads text alone"));
    text += object.text("text");
    object.finish();
  }
  return text;
}

std::vector<ChatMessage> messages_of(Body& body) {
  const json* const value = body.find("messages");
  if (value == nullptr || !value->is_array() || value->empty())
    throw DataError("the request has no messages");
  std::vector<ChatMessage> messages;
  for (const json& one : *value) {
    JsonObject object(one, "the request: messages");
    const std::string role = object.text("role");
    static const std::vector<std::string> kRoles = {"system", "developer", "user", "assistant",
                                                    "tool"};
    if (std::ranges::find(kRoles, role) == kRoles.end())
      throw DataError(cat("messages: role ", show_text(role), " is none of ", join(kRoles, ", ")));
    messages.push_back({role, content_of(object.required("content"))});
    object.find("name");  // of who speaks; the template knows roles alone
    object.finish();
  }
  return messages;
}

// What clients send although they ask for nothing: no tools, and an answer that is text.
void require_plain_text(Body& body) {
  if (const json* const tools = body.find("tools"); tools != nullptr && !tools->empty())
    throw DataError("tools are not supported: the model writes text alone");
  body.find("parallel_tool_calls");
  if (const json* const choice = body.find("tool_choice");
      choice != nullptr && *choice != "none" && *choice != "auto")
    throw DataError(cat("tool_choice is ", show_value(*choice), ", and there are no tools"));
  const json* const format = body.find("response_format");
  if (format == nullptr) return;
  JsonObject object(*format, "the request: response_format");
  if (const std::string type = object.text("type"); type != "text")
    throw DataError(
        cat("response_format has the type ", show_text(type), "; this model writes text alone"));
  object.finish();
}

}  // namespace

CompletionRequest parse_completion(const json& value, const LoadedModel& loaded,
                                   const std::string& model, const ApiLimits& limits) {
  Body body(value);
  CompletionRequest request;
  request.model = model_of(body, model);
  read_prompts(request, body, loaded);
  read_decoding(request.decoding, body, loaded);
  read_streaming(request, body);
  read_number_of_texts(request, body, limits);
  request.stops = read_stops(body);
  request.echo = body.boolean("echo");
  if (const auto top = optional_integer(body, "logprobs", 0, kMostTop)) {
    request.with_log_probabilities = true;
    request.decoding.num_top = *top;
  }
  const auto wanted =
      optional_integer(body, "max_tokens", request.echo ? 0 : 1, limits.most_tokens);
  request.decoding.max_new_tokens = new_tokens_of(request, loaded, wanted, kDefaultMaxTokens);
  if (body.integer("best_of", request.num_texts, 1, 1 << 16) != request.num_texts)
    throw DataError("best_of differs from n; this server returns all that it writes");
  if (!body.text("suffix").empty())
    throw DataError("suffix is not supported: the model reads only what is before");
  body.finish();
  return request;
}

CompletionRequest parse_chat(const json& value, const LoadedModel& loaded, const Chat& chat,
                             const std::string& model, const ApiLimits& limits) {
  Body body(value);
  CompletionRequest request;
  request.is_chat = true;
  request.model = model_of(body, model);
  request.prompts = {chat_tokens(loaded, chat, messages_of(body))};
  request.prompt_texts = {""};
  request.num_start_tokens = {0};
  read_decoding(request.decoding, body, loaded);
  read_streaming(request, body);
  read_number_of_texts(request, body, limits);
  request.stops = read_stops(body);
  request.with_log_probabilities = body.boolean("logprobs");
  request.decoding.num_top = body.integer("top_logprobs", 0, 0, kMostTop);
  if (request.decoding.num_top > 0 && !request.with_log_probabilities)
    throw DataError("top_logprobs has a meaning only where logprobs is true");
  require_plain_text(body);
  auto wanted = optional_integer(body, "max_completion_tokens", 1, limits.most_tokens);
  const auto older = optional_integer(body, "max_tokens", 1, limits.most_tokens);
  if (!wanted) wanted = older;
  request.decoding.max_new_tokens = new_tokens_of(request, loaded, wanted, limits.most_tokens);
  body.finish();
  return request;
}

std::vector<TextRequest> texts_of(const CompletionRequest& request) {
  std::vector<TextRequest> texts;
  for (const std::vector<int32_t>& prompt : request.prompts) {
    for (int64_t i = 0; i < request.num_texts; ++i) {
      TextRequest text{prompt, request.decoding, request.stops};
      text.decoding.seed += static_cast<uint64_t>(i);
      texts.push_back(std::move(text));
    }
  }
  return texts;
}

EmbeddingRequest parse_embedding(const json& value, const std::string& model,
                                 const ApiLimits& limits) {
  Body body(value);
  model_of(body, model);
  EmbeddingRequest request;
  const json* const input = body.find("input");
  if (input == nullptr) throw DataError("the request has no input");
  request.texts = texts_in(*input, "input");
  if (request.texts.empty()) throw DataError("input is empty");
  if (static_cast<int64_t>(request.texts.size()) > limits.most_texts) {
    throw DataError(cat("input has ", request.texts.size(),
                        " texts, and this server takes at most ", limits.most_texts, " at once"));
  }
  const std::string format = body.text("encoding_format");
  if (!format.empty() && format != "float" && format != "base64")
    throw DataError(cat("encoding_format ", show_text(format), " is neither float nor base64"));
  request.in_base64 = format == "base64";
  body.finish();
  return request;
}

}  // namespace lmtrain
