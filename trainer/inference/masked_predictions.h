// Predictions of a trained bert for masked tokens.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/batch.h"
#include "data/tokenizer/tokenizer.h"
#include "models/encoder.h"
#include "trainer/inference/score.h"
#include "trainer/inference/text_batches.h"

namespace lmtrain {

// Returns, for each mask token of a text that encode_text made, the tokens that stand there most
// likely, the likeliest first.
struct FilledMask {
  size_t place = 0;  // in the text's ids
  std::vector<RankedToken> top;
};
std::vector<FilledMask> fill_masks(const Encoder& model, const Tokenizer& tokenizer,
                                   const EncodedText& text, int64_t num_top);

// Returns the text of a batch of one sample. Each masked token is replaced by the most likely token
// in guillemets, with the true token added when the two differ.
std::string show_predictions(const Encoder& model, const Batch& batch, const Tokenizer& tokenizer,
                             at::Device device);

}  // namespace lmtrain
