// Generates text from a trained decoder, token by token. The result is a function of model, prompt,
// options and seed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/decoder.h"

namespace lmtrain {

struct SamplingOptions {
  int64_t max_new_tokens = 100;
  double temperature = 0.8;  // 0: always the most likely token
  int64_t top_k = 50;        // 0: all tokens; ties with the k-th token are kept
  double top_p = 1.0;        // 1: all tokens; else the smallest set whose probability reaches this
  uint64_t seed = 1;
};

// Returns the tokens that follow `prompt`, which must not be empty, up to one of `end_tokens` (left
// out) or max_new_tokens. Only tokens below `num_tokens` are sampled. When the text is longer
// than the model's positions, the oldest tokens are dropped. When `ranks` compute the model
// together, all of them use the token that rank 0 samples.
std::vector<int32_t> generate_tokens(const Decoder& model, int64_t max_positions, at::Device device,
                                     const std::vector<int32_t>& prompt, int64_t num_tokens,
                                     const std::vector<int32_t>& end_tokens,
                                     const SamplingOptions& options, Communicator* ranks = nullptr);

// Samples one token from logits [vocabulary], fp32 or fp64, applying temperature, then top-k, then
// top-p. `uniform` is a random number in [0, 1).
int32_t sample_token(const at::Tensor& logits, const SamplingOptions& options, double uniform);

// Returns the log-probability of each token after the first, given the tokens before it. Takes at
// most max_positions + 1 tokens.
std::vector<double> score_tokens(const Decoder& model, at::Device device,
                                 const std::vector<int32_t>& tokens);

}  // namespace lmtrain
