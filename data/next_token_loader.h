// Samples of a decoder: windows of a token file, each token with the next one as its label.
#pragma once

#include "data/loader.h"

namespace lmtrain {

// Samples are windows of sequence_length + 1 tokens at a stride of sequence_length: each token but
// the file's first is a label once; tokens behind the last whole window are left out.
class NextTokenLoader : public Loader {
 public:
  // Throws DataError, saying how many tokens there are and are needed, when not one window fits.
  NextTokenLoader(TokenFile file, int64_t sequence_length, SampleOrder order, uint64_t seed = 0);

  Batch empty_batch(int64_t num_samples) const override;
  void fill_row(Batch& batch, size_t row, int64_t index) const override;

 private:
  TokenFile file_;
};

// Throws the DataError of a loader for which the file is too small, without making one.
void require_one_sample(const TokenFile& file, int64_t sequence_length);

}  // namespace lmtrain
