// What the trainers of all models are given.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer/added_tokens.h"

namespace lmtrain {

// Fetches the next document, false at the end. The view must stay valid until the next call. It is
// called from the training's threads, by one at a time.
using NextDocument = std::function<bool(std::string_view& document)>;

inline constexpr int64_t kMaxTrainedVocabSize = INT64_C(1) << 24;

// Special tokens with the ids 0, 1, ...
std::vector<AddedToken> number_special_tokens(std::span<const std::string> contents);

// Throws ConfigError when there cannot be so many threads.
void check_num_trainer_threads(int num_threads);

}  // namespace lmtrain
