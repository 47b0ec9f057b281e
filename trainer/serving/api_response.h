// Answers in the form of OpenAI's API.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "trainer/inference/call_energy.h"
#include "trainer/inference/score.h"
#include "trainer/serving/api_request.h"
#include "trainer/serving/model_service.h"

namespace lmtrain {

// {"joules", "grams_co2e", "quality"}: what a request took.
nlohmann::ordered_json energy_json(double joules, const EnergyPrice& price, bool is_measured);

// Makes the answer to one request for texts, whole or chunk by chunk.
class CompletionResponse {
 public:
  CompletionResponse(const CompletionRequest& request, const Tokenizer& tokenizer);

  // The scores of the prompts, where `echo` asks for log-probabilities: their tokens but the first.
  void set_prompt_scores(std::vector<std::vector<ScoredToken>> scores);

  // The first chunks of a stream: the roles of a chat, the prompts where they are echoed.
  std::vector<nlohmann::ordered_json> first_chunks();
  // The chunk of a piece.
  nlohmann::ordered_json chunk(const ServedRequest::Piece& piece);
  // The last chunk, where usage is asked for.
  nlohmann::ordered_json usage_chunk(const nlohmann::ordered_json& energy) const;

  // Takes a piece in for the whole answer.
  void add(const ServedRequest::Piece& piece);
  nlohmann::ordered_json whole(const nlohmann::ordered_json& energy) const;

  int64_t num_prompt_tokens() const;
  int64_t num_new_tokens() const { return num_new_tokens_; }

 private:
  struct Choice {
    std::string text;
    std::string finish_reason;
    nlohmann::ordered_json log_probabilities;  // null without them
    int64_t offset = 0;  // of the next token, in characters from the beginning of the text
  };

  nlohmann::ordered_json envelope(bool is_chunk) const;
  nlohmann::ordered_json usage(const nlohmann::ordered_json& energy) const;
  size_t prompt_of(size_t choice) const;
  nlohmann::ordered_json log_probabilities_of(const std::vector<ScoredToken>& tokens,
                                              int64_t& offset) const;
  nlohmann::ordered_json log_probabilities_of(const ServedRequest::Piece& piece);
  nlohmann::ordered_json echoed(size_t prompt, int64_t& offset) const;

  const CompletionRequest& request_;
  const Tokenizer& tokenizer_;
  std::string id_;
  int64_t created_;
  std::vector<std::vector<ScoredToken>> prompt_scores_;
  std::vector<Choice> choices_;
  int64_t num_new_tokens_ = 0;
};

// {"data": [{"embedding", "index"}, ..], "usage"}. vectors: [texts, width].
nlohmann::ordered_json embedding_response(const at::Tensor& vectors, bool in_base64,
                                          const std::string& model, int64_t num_tokens,
                                          const nlohmann::ordered_json& energy);

// {"error": {"message", "type", "param", "code"}}.
nlohmann::ordered_json error_json(const std::string& message, const std::string& type, int status);

}  // namespace lmtrain
