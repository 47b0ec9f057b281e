// What the trainers of all models are given.
#pragma once

#include <functional>
#include <string_view>

namespace lmtrain {

// Fetches the next document, false at the end. The view must stay valid until the next call. It is
// called from the training's threads, by one at a time.
using NextDocument = std::function<bool(std::string_view& document)>;

// Throws ConfigError when there cannot be so many threads.
void check_num_trainer_threads(int num_threads);

}  // namespace lmtrain
