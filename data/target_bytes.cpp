#include "data/target_bytes.h"

namespace lmtrain {

TargetBytes::TargetBytes(const Tokenizer& tokenizer) {
  bytes_.reserve(static_cast<size_t>(tokenizer.vocab_size()));
  for (int64_t id = 0; id < tokenizer.vocab_size(); ++id) {
    bytes_.push_back(tokenizer.token_num_bytes(static_cast<int32_t>(id)));
  }
}

int64_t TargetBytes::of_batch(const Batch& batch) const {
  int64_t bytes = 0;
  for (size_t i = 0; i < batch.labels.size(); ++i) {
    if (batch.weights[i] > 0.0F) bytes += of_token(batch.labels[i]);
  }
  return bytes;
}

}  // namespace lmtrain
