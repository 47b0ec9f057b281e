// Samples for training a decoder: windows of a token file in which each token's label
// is the next token.
#pragma once

#include "data/loader.h"

namespace lmtrain {

// Samples are windows of sequence_length + 1 tokens at a stride of sequence_length, so that each
// token except the file's first is a label once. Tokens after the last whole window are left out.
class NextTokenLoader : public Loader {
 public:
  // Throws DataError when not even one window fits; the message says how many tokens there are and
  // how many are needed.
  NextTokenLoader(TokenFile file, int64_t sequence_length, SampleOrder order, uint64_t seed = 0);

  Batch empty_batch(std::span<const int64_t> indices) const override;
  void fill_row(Batch& batch, size_t row, int64_t index) const override;

 private:
  TokenFile file_;
};

// Throws the same DataError as the loader's constructor when the file is too small.
void require_one_sample(const TokenFile& file, int64_t sequence_length);

}  // namespace lmtrain
