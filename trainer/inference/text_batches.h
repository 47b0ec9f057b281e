// Encoded texts as a model with a head of labels, or one that embeds, reads them: padded where
// several are read at once.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "data/encoded_text.h"
#include "models/model_input.h"

namespace lmtrain {

std::vector<size_t> lengths_of(const std::vector<EncodedText>& texts);

// The input for texts that are read at once, padded to the longest of them.
ModelInput padded_input(const ModelConfig& model, const std::vector<EncodedText>& texts,
                        std::span<const size_t> places);

// Calls `read` with the places of texts, of so many tokens each, to be read at once. Texts of about
// the same length come together, so that little is padded; they are looked for among the next few
// hundred, so that results come soon and in about the order of the texts.
void in_batches(const std::vector<size_t>& lengths, int64_t batch_size,
                const std::function<void(std::span<const size_t>)>& read);

}  // namespace lmtrain
