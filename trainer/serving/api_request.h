// What clients ask for, by the names of OpenAI's API, checked once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "data/chat/chat.h"
#include "trainer/inference/generate.h"
#include "trainer/inference/loaded_model.h"

namespace lmtrain {

// A request that is answered with an error. The status is that of HTTP; type and code are OpenAI's.
struct ApiError : std::runtime_error {
  ApiError(int http_status, const std::string& type_name, const std::string& message)
      : std::runtime_error(message), status(http_status), type(type_name) {}
  int status;
  std::string type;
};

struct ApiLimits {
  int64_t most_tokens = 0;  // new tokens of a text
  int64_t most_texts = 0;   // of a request: prompts times n
};

// A request for texts: /v1/completions or /v1/chat/completions.
struct CompletionRequest {
  bool is_chat = false;
  std::string model;
  std::vector<std::string> prompt_texts;      // as `echo` returns them
  std::vector<std::vector<int32_t>> prompts;  // the same as tokens
  std::vector<size_t> num_start_tokens;       // of each prompt: those that are no text
  DecodingOptions decoding;                   // of the first text of each prompt
  std::vector<std::string> stops;
  int64_t num_texts = 1;  // of each prompt
  bool echo = false;
  bool with_log_probabilities = false;
  bool streams = false;
  bool streams_usage = false;
};

// Both throw DataError and ConfigError for what is wrong with the request, and ApiError for the
// name of another model. `model` is the name that is served.
CompletionRequest parse_completion(const nlohmann::json& body, const LoadedModel& loaded,
                                   const std::string& model, const ApiLimits& limits);
CompletionRequest parse_chat(const nlohmann::json& body, const LoadedModel& loaded,
                             const Chat& chat, const std::string& model, const ApiLimits& limits);

// The texts of all prompts, those of the first prompt first.
std::vector<TextRequest> texts_of(const CompletionRequest& request);

// A request for vectors: /v1/embeddings.
struct EmbeddingRequest {
  std::vector<std::string> texts;
  bool in_base64 = false;
};
EmbeddingRequest parse_embedding(const nlohmann::json& body, const std::string& model,
                                 const ApiLimits& limits);

}  // namespace lmtrain
