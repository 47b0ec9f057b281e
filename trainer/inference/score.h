// How likely a trained decoder takes a text to be.
#pragma once

#include <cstdint>
#include <vector>

#include "models/decoder.h"

namespace lmtrain {

// Returns the log-probability of each token after the first, given the tokens before it. Takes at
// most max_positions + 1 tokens.
std::vector<double> score_tokens(const Decoder& model, at::Device device,
                                 const std::vector<int32_t>& tokens);

}  // namespace lmtrain
