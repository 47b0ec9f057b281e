// How likely a trained model takes the tokens of a text to be, and what else it expected.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/tokenizer/tokenizer.h"
#include "models/decoder.h"
#include "models/encoder.h"
#include "trainer/inference/decoding.h"

namespace lmtrain {

struct ScoredToken {
  int32_t token = 0;
  double log_probability = 0;
  int64_t rank = 1;  // 1: no token is likelier
  std::vector<RankedToken> top;
};

struct ScoreOptions {
  int64_t num_tokens = 0;        // of the tokenizer: only these have a rank
  int64_t num_top = 0;           // likeliest tokens to name at each place
  at::Device device = at::kCPU;  // of the model
};

// Ranks tokens[i] in row i. log_probabilities: [n, num_tokens], on the CPU.
std::vector<ScoredToken> ranked_tokens(const at::Tensor& log_probabilities,
                                       std::span<const int32_t> tokens, int64_t num_top);

// A text for a decoder: each token from `first` on is scored given all before it.
struct TextToScore {
  std::vector<int32_t> tokens;  // at most max_positions + 1
  size_t first = 1;             // at least 1
};

// Scores texts in one pass. Returns tokens.size() - first tokens for each.
std::vector<std::vector<ScoredToken>> score_texts(const Decoder& model,
                                                  std::span<const TextToScore> texts,
                                                  const ScoreOptions& options);

// Scores each token of a text when only that token is masked (pseudo-log-likelihood; Salazar et
// al., "Masked Language Model Scoring", 2020). `tokens` are those of the text without special
// tokens, at most max_positions - 2; those of `places` are scored.
std::vector<ScoredToken> score_masked_tokens(const Encoder& model, const Tokenizer& tokenizer,
                                             const std::vector<int32_t>& tokens,
                                             std::span<const size_t> places,
                                             const ScoreOptions& options);

}  // namespace lmtrain
