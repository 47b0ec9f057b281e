// What a trained bert says of hidden tokens.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/batch.h"
#include "data/tokenizer/tokenizer.h"
#include "models/encoder.h"

namespace lmtrain {

// Log-probability of each token of a text when it alone is masked (pseudo-log-likelihood; Salazar
// et al., "Masked Language Model Scoring", 2020). `tokens`: the text's, without special ones; at
// most max_positions - 2.
std::vector<double> score_masked_tokens(const Encoder& model, const Tokenizer& tokenizer,
                                        const std::vector<int32_t>& tokens, at::Device device);

// The text of a batch of one sample, each masked token replaced by the most likely one, in
// guillemets and with the true one where they differ.
std::string show_predictions(const Encoder& model, const Batch& batch, const Tokenizer& tokenizer,
                             at::Device device);

}  // namespace lmtrain
