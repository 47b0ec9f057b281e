// Batches of a token file's samples, in an order that is a pure function of (seed, epoch, index).
#pragma once

#include <cstdint>
#include <span>

#include "data/batch.h"
#include "data/token_file.h"

namespace lmtrain {

// Training draws each epoch's samples in an order of its own; evaluation takes them as they lie.
enum class SampleOrder { kPermutedEachEpoch, kAsInFile };

// An index that stands for no sample: its row holds end tokens of weight and padding mask 0. It
// fills up a batch that has fewer samples than the ranks have rows.
inline constexpr int64_t kNoSample = -1;

// Samples are windows of sequence_length + 1 tokens at a stride of sequence_length: each token but
// the file's first is a label once; tokens behind the last whole window are left out. Global index
// i is sample permutation(seed, i / num_samples)(i % num_samples), so a batch may straddle epochs.
class Loader {
 public:
  // Throws DataError, saying how many tokens there are and are needed, when not one window fits.
  Loader(TokenFile file, int64_t sequence_length, SampleOrder order, uint64_t seed = 0);

  const TokenFile& file() const { return file_; }
  int64_t sequence_length() const { return sequence_length_; }
  int64_t num_samples() const { return num_samples_; }

  // One row per index, in that order. Safe from several threads. Throws DataError for a damaged
  // file.
  Batch load(std::span<const int64_t> global_sample_indices) const;

 private:
  int64_t window_of(int64_t index) const;

  TokenFile file_;
  int64_t sequence_length_;
  int64_t num_samples_;
  SampleOrder order_;
  uint64_t seed_;
};

// Throws the Loader's DataError without making one.
void require_one_sample(const TokenFile& file, int64_t sequence_length);

}  // namespace lmtrain
