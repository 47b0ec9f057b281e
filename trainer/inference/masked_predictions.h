// Predictions of a trained bert for masked tokens.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/batch.h"
#include "data/tokenizer/tokenizer.h"
#include "models/encoder.h"

namespace lmtrain {

// Returns the log-probability of each token of a text when only that token is masked
// (pseudo-log-likelihood; Salazar et al., "Masked Language Model Scoring", 2020). `tokens` are
// those of the text without special tokens, at most max_positions - 2.
std::vector<double> score_masked_tokens(const Encoder& model, const Tokenizer& tokenizer,
                                        const std::vector<int32_t>& tokens, at::Device device);

// Returns the text of a batch of one sample. Each masked token is replaced by the most likely token
// in guillemets, with the true token added when the two differ.
std::string show_predictions(const Encoder& model, const Batch& batch, const Tokenizer& tokenizer,
                             at::Device device);

}  // namespace lmtrain
