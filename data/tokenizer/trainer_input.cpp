#include "data/tokenizer/trainer_input.h"

#include "base/error.h"
#include "base/text.h"

namespace lmtrain {

std::vector<AddedToken> number_special_tokens(std::span<const std::string> contents) {
  std::vector<AddedToken> tokens;
  for (const std::string& content : contents)
    tokens.push_back({.id = static_cast<int32_t>(tokens.size()), .content = content});
  return tokens;
}

void check_num_trainer_threads(int num_threads) {
  constexpr int kMaxThreads = 1024;
  if (num_threads >= 1 && num_threads <= kMaxThreads) return;
  throw ConfigError(
      cat("tokenizer training on ", num_threads, " threads: must be 1 to ", kMaxThreads));
}

}  // namespace lmtrain
