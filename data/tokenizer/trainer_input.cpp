#include "data/tokenizer/trainer_input.h"

#include "base/error.h"
#include "base/text.h"

namespace lmtrain {

void check_num_trainer_threads(int num_threads) {
  constexpr int kMaxThreads = 1024;
  if (num_threads >= 1 && num_threads <= kMaxThreads) return;
  throw ConfigError(
      cat("tokenizer training on ", num_threads, " threads: must be 1 to ", kMaxThreads));
}

}  // namespace lmtrain
