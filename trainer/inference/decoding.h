// How the next token of a text is chosen from a decoder's logits. Options have the names and the
// meaning of transformers' GenerationConfig, and work in its order: bias, penalties and bans first,
// then temperature, top-k, top-p and min-p.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include <ATen/core/Tensor.h>

namespace lmtrain {

struct DecodingOptions {
  int64_t max_new_tokens = 100;
  int64_t min_new_tokens = 0;  // no end token before so many
  double temperature = 0.8;    // 0: always the most likely token
  int64_t top_k = 50;          // 0: all tokens; ties with the k-th token are kept
  double top_p = 1.0;  // 1: all tokens; else the smallest set whose probability reaches this
  double min_p = 0.0;  // drops tokens less likely than this share of the likeliest one
  // Divides positive logits of tokens that the prompt or the text holds, and multiplies negative
  // ones (Keskar et al., "CTRL", 2019); 1: none.
  double repetition_penalty = 1.0;
  // Are subtracted from the logits of new tokens: once for each that has come, and for each time
  // that it has come (OpenAI's API).
  double presence_penalty = 0.0;
  double frequency_penalty = 0.0;
  int64_t no_repeat_ngram_size = 0;      // no n-gram of this length comes twice; 0: no such ban
  std::map<int32_t, double> logit_bias;  // is added to the logits of these tokens
  std::vector<int32_t> end_tokens;       // any of which ends the text
  uint64_t seed = 1;
  int64_t num_top = 0;  // likeliest tokens to name at each place
};

struct RankedToken {
  int32_t token = 0;
  double log_probability = 0;
};

// A token and its log-probability under the model, before the options change anything.
struct ChosenToken {
  int32_t token = 0;
  double log_probability = 0;
  std::vector<RankedToken> top;  // num_top of the options, the likeliest first
};

// Changes `logits`, [vocabulary] in fp64, by everything in the options that precedes temperature.
// `tokens` are the prompt, of num_prompt_tokens, and what has come since.
void process_logits(const DecodingOptions& options, const std::vector<int32_t>& tokens,
                    size_t num_prompt_tokens, std::vector<double>& logits);

// Draws one token by temperature, top-k, top-p and min-p. `uniform` is in [0, 1).
int32_t sample_token(const std::vector<double>& logits, const DecodingOptions& options,
                     double uniform);

// Both, for the token that follows `tokens`: a function of logits, options and their seed alone.
// `logits`: [vocabulary], fp32 or fp64.
ChosenToken choose_token(const at::Tensor& logits, const DecodingOptions& options,
                         const std::vector<int32_t>& tokens, size_t num_prompt_tokens);

}  // namespace lmtrain
