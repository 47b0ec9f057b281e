// The baseline that a trained bert must beat.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "data/loader.h"
#include "data/token_file.h"
#include "data/tokenizer/tokenizer.h"

namespace lmtrain {

// Returns the accuracy, over the targets of these samples, of always predicting the token that is
// most frequent in `train`. Special tokens are not counted. `pause`, if there is one, is called now
// and then, and may throw.
double most_frequent_token_accuracy(const TokenFile& train, const Tokenizer& tokenizer,
                                    const Loader& loader,
                                    std::span<const int64_t> global_sample_indices,
                                    const std::function<void()>& pause = {});

}  // namespace lmtrain
