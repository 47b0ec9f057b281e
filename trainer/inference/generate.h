// Text from a trained decoder, token by token; what comes out is a function of model, prompt and
// seed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/tokenizer/tokenizer.h"
#include "models/decoder.h"

namespace lmtrain {

struct SamplingOptions {
  int64_t max_new_tokens = 100;
  double temperature = 0.8;  // 0: always the most likely token
  int64_t top_k = 50;        // 0: all; ties with the last one stay
  double top_p = 1.0;        // 1: all; else the smallest set of likely tokens that reaches it
  uint64_t seed = 1;
};

// What a text begins after: the token that its tokenizer puts before each, else the end token,
// which stands between the documents that models are trained on; -1 when there is neither.
int32_t start_token(const Tokenizer& tokenizer);

// Tokens that follow `prompt` (not empty), of the tokenizer's, up to its end token (left out) or
// max_new_tokens. Where the text is longer than the model's positions the oldest tokens are
// dropped. Where `ranks` compute together, all take what rank 0 samples.
std::vector<int32_t> generate_tokens(const Decoder& model, int64_t max_positions, at::Device device,
                                     const std::vector<int32_t>& prompt, const Tokenizer& tokenizer,
                                     const SamplingOptions& options, Communicator* ranks = nullptr);

// One draw from logits [vocabulary], fp32 or fp64: temperature, then top-k, then top-p; `uniform`
// in [0, 1).
int32_t sample_token(const at::Tensor& logits, const SamplingOptions& options, double uniform);

// Log-probability of each token after the first, given those before it. At most max_positions + 1
// tokens.
std::vector<double> score_tokens(const Decoder& model, at::Device device,
                                 const std::vector<int32_t>& tokens);

}  // namespace lmtrain
