#include "trainer/serving/api_response.h"

#include <ctime>
#include <random>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "base/text.h"
#include "base/utf8.h"
#include "trainer/inference/token_name.h"

namespace lmtrain {
namespace {

using json = nlohmann::ordered_json;

std::string random_id(const char* prefix) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::random_device source;
  std::string id = prefix;
  for (int i = 0; i < 24; ++i) id += kDigits[source() % kDigits.size()];
  return id;
}

json bytes_of(std::string_view text) {
  json bytes = json::array();
  for (const char byte : text) bytes.push_back(static_cast<uint8_t>(byte));
  return bytes;
}

}  // namespace

json energy_json(double joules, const EnergyPrice& price, bool is_measured) {
  return {{"joules", joules},
          {"grams_co2e", joules * price.grams_per_joule()},
          {"quality", is_measured ? "measured" : "modelled"}};
}

CompletionResponse::CompletionResponse(const CompletionRequest& request, const Tokenizer& tokenizer)
    : request_(request),
      tokenizer_(tokenizer),
      id_(random_id(request.is_chat ? "chatcmpl-" : "cmpl-")),
      created_(std::time(nullptr)) {
  choices_.resize(request.prompts.size() * static_cast<size_t>(request.num_texts));
  for (size_t i = 0; i < choices_.size(); ++i) {
    if (!request.echo) continue;
    choices_[i].text = request.prompt_texts[prompt_of(i)];
  }
}

void CompletionResponse::set_prompt_scores(std::vector<std::vector<ScoredToken>> scores) {
  prompt_scores_ = std::move(scores);
  for (size_t i = 0; i < choices_.size(); ++i) {
    if (request_.with_log_probabilities)
      choices_[i].log_probabilities = echoed(prompt_of(i), choices_[i].offset);
  }
}

size_t CompletionResponse::prompt_of(size_t choice) const {
  return choice / static_cast<size_t>(request_.num_texts);
}

// OpenAI's older form: lists beside each other.
json CompletionResponse::log_probabilities_of(const std::vector<ScoredToken>& tokens,
                                              int64_t& offset) const {
  json lists = {{"tokens", json::array()},
                {"token_logprobs", json::array()},
                {"top_logprobs", json::array()},
                {"text_offset", json::array()}};
  for (const ScoredToken& scored : tokens) {
    json top = json::object();
    for (const RankedToken& other : scored.top)
      top[token_name(tokenizer_, other.token)] = other.log_probability;
    const std::string name = token_name(tokenizer_, scored.token);
    lists["tokens"].push_back(name);
    lists["token_logprobs"].push_back(scored.log_probability);
    lists["top_logprobs"].push_back(std::move(top));
    lists["text_offset"].push_back(offset);
    offset += num_characters(tokenizer_.token_text(scored.token));
  }
  return lists;
}

// A prompt's own tokens; the first of all has nothing before it, and so no probability.
json CompletionResponse::echoed(size_t prompt, int64_t& offset) const {
  const std::vector<int32_t>& tokens = request_.prompts[prompt];
  json lists = log_probabilities_of({}, offset);
  if (request_.num_start_tokens[prompt] == 0) {
    lists["tokens"].push_back(token_name(tokenizer_, tokens[0]));
    lists["token_logprobs"].push_back(nullptr);
    lists["top_logprobs"].push_back(nullptr);
    lists["text_offset"].push_back(0);
    offset += num_characters(tokenizer_.token_text(tokens[0]));
  }
  const json rest = log_probabilities_of(prompt_scores_[prompt], offset);
  for (const auto& [key, values] : rest.items())
    lists[key].insert(lists[key].end(), values.begin(), values.end());
  return lists;
}

json CompletionResponse::log_probabilities_of(const ServedRequest::Piece& piece) {
  const ChosenToken& token = piece.piece.token;
  Choice& choice = choices_[piece.text];
  if (!request_.is_chat) {
    // An end token has its place, too, though it has no text: clients count on one for each token.
    return log_probabilities_of({{token.token, token.log_probability, 1, token.top}},
                                choice.offset);
  }
  const auto entry = [&](int32_t id, double log_probability) {
    return json{{"token", token_name(tokenizer_, id)},
                {"logprob", log_probability},
                {"bytes", bytes_of(tokenizer_.token_text(id))}};
  };
  if (piece.piece.is_end_token) return {{"content", json::array()}};
  json one = entry(token.token, token.log_probability);
  one["top_logprobs"] = json::array();
  for (const RankedToken& other : token.top)
    one["top_logprobs"].push_back(entry(other.token, other.log_probability));
  return {{"content", json::array({one})}};
}

json CompletionResponse::envelope(bool is_chunk) const {
  const char* const object = !request_.is_chat ? "text_completion"
                             : is_chunk        ? "chat.completion.chunk"
                                               : "chat.completion";
  return {{"id", id_}, {"object", object}, {"created", created_}, {"model", request_.model}};
}

std::vector<json> CompletionResponse::first_chunks() {
  std::vector<json> chunks;
  for (size_t i = 0; i < choices_.size(); ++i) {
    json choice = {{"index", i}};
    if (request_.is_chat) {
      choice["delta"] = {{"role", "assistant"}, {"content", ""}};
    } else {
      if (!request_.echo) continue;
      choice["text"] = choices_[i].text;
    }
    choice["logprobs"] = choices_[i].log_probabilities;
    const bool is_all = request_.decoding.max_new_tokens == 0;
    choice["finish_reason"] = is_all ? json("length") : json();
    json chunk = envelope(/*is_chunk=*/true);
    chunk["choices"] = json::array({choice});
    chunks.push_back(std::move(chunk));
  }
  return chunks;
}

json CompletionResponse::chunk(const ServedRequest::Piece& piece) {
  ++num_new_tokens_;
  json choice = {{"index", piece.text}};
  if (request_.is_chat) {
    choice["delta"] = {{"content", piece.piece.more}};
  } else {
    choice["text"] = piece.piece.more;
  }
  choice["logprobs"] = request_.with_log_probabilities ? log_probabilities_of(piece) : json();
  choice["finish_reason"] =
      piece.piece.finish_reason.empty() ? json() : json(piece.piece.finish_reason);
  json chunk = envelope(/*is_chunk=*/true);
  chunk["choices"] = json::array({choice});
  return chunk;
}

json CompletionResponse::usage_chunk(const json& energy) const {
  json chunk = envelope(/*is_chunk=*/true);
  chunk["choices"] = json::array();
  chunk["usage"] = usage(energy);
  return chunk;
}

void CompletionResponse::add(const ServedRequest::Piece& piece) {
  ++num_new_tokens_;
  Choice& choice = choices_[piece.text];
  choice.text += piece.piece.more;
  choice.finish_reason = piece.piece.finish_reason;
  if (!request_.with_log_probabilities) return;
  const json more = log_probabilities_of(piece);
  if (choice.log_probabilities.is_null()) {
    choice.log_probabilities = more;
    return;
  }
  for (const auto& [key, values] : more.items()) {
    json& list = choice.log_probabilities[key];
    list.insert(list.end(), values.begin(), values.end());
  }
}

json CompletionResponse::whole(const json& energy) const {
  json answer = envelope(/*is_chunk=*/false);
  answer["choices"] = json::array();
  for (size_t i = 0; i < choices_.size(); ++i) {
    const Choice& choice = choices_[i];
    json entry = {{"index", i}};
    if (request_.is_chat) {
      entry["message"] = {{"role", "assistant"}, {"content", choice.text}};
    } else {
      entry["text"] = choice.text;
    }
    entry["logprobs"] = choice.log_probabilities;
    entry["finish_reason"] = choice.finish_reason.empty() ? "length" : choice.finish_reason;
    answer["choices"].push_back(std::move(entry));
  }
  answer["usage"] = usage(energy);
  return answer;
}

int64_t CompletionResponse::num_prompt_tokens() const {
  int64_t count = 0;
  for (const auto& prompt : request_.prompts) count += static_cast<int64_t>(prompt.size());
  return count;
}

json CompletionResponse::usage(const json& energy) const {
  return {{"prompt_tokens", num_prompt_tokens()},
          {"completion_tokens", num_new_tokens_},
          {"total_tokens", num_prompt_tokens() + num_new_tokens_},
          {"energy", energy}};
}

json embedding_response(const at::Tensor& vectors, bool in_base64, const std::string& model,
                        int64_t num_tokens, const json& energy) {
  const at::Tensor rows = vectors.to(at::kFloat).contiguous();
  json data = json::array();
  for (int64_t i = 0; i < rows.size(0); ++i) {
    const auto* const row = rows.data_ptr<float>() + i * rows.size(1);
    const auto width = static_cast<size_t>(rows.size(1));
    json vector = std::vector<float>(row, row + width);
    if (in_base64) {
      vector = base64({reinterpret_cast<const char*>(row), width * sizeof(float)});
    }
    data.push_back({{"object", "embedding"}, {"index", i}, {"embedding", std::move(vector)}});
  }
  return {
      {"object", "list"},
      {"data", data},
      {"model", model},
      {"usage", {{"prompt_tokens", num_tokens}, {"total_tokens", num_tokens}, {"energy", energy}}}};
}

json error_json(const std::string& message, const std::string& type, int status) {
  return {{"error", {{"message", message}, {"type", type}, {"param", nullptr}, {"code", status}}}};
}

}  // namespace lmtrain
