// What the commands that continue or score a text have in common.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/decoder.h"
#include "trainer/inference/loaded_model.h"

namespace lmtrain {

// Ids of `text` behind the token that a text of this tokenizer begins after, where it has one.
std::vector<int32_t> with_start(const Tokenizer& tokenizer, const std::string& text);

// Throws ConfigError where the model's head predicts no tokens.
void require_language_head(const LoadedModel& loaded);

// The same, also where the model is not a decoder. `loaded` owns the result.
const Decoder& decoder_of(const LoadedModel& loaded);

}  // namespace lmtrain
