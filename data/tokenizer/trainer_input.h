// The input that all tokenizer trainers share.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer/added_tokens.h"

namespace lmtrain {

// Fetches the next document and returns false at the end. The view must stay valid until the next
// call. The training's threads call it, one at a time.
using NextDocument = std::function<bool(std::string_view& document)>;

inline constexpr int64_t kMaxTrainedVocabSize = INT64_C(1) << 24;

// Returns special tokens with the ids 0, 1, ...
std::vector<AddedToken> number_special_tokens(std::span<const std::string> contents);

// Throws ConfigError when `num_threads` is out of range.
void check_num_trainer_threads(int num_threads);

}  // namespace lmtrain
