// Batches of samples, in an order that is a pure function of (seed, epoch, index).
#pragma once

#include <cstdint>
#include <span>

#include "data/batch.h"
#include "data/token_file.h"

namespace lmtrain {

// Training draws each epoch's samples in an order of its own; evaluation takes them as they lie.
enum class SampleOrder { kPermutedEachEpoch, kAsInFile };

// An index that stands for no sample: its row holds padding of weight 0. It fills up a batch that
// has fewer samples than the ranks have rows.
inline constexpr int64_t kNoSample = -1;

// Global index i is sample permutation(seed, i / num_samples)(i % num_samples), so a batch may
// straddle epochs.
class Loader {
 public:
  virtual ~Loader() = default;

  int64_t sequence_length() const { return sequence_length_; }
  int64_t num_samples() const { return num_samples_; }

  // One row per index, in that order. Safe from several threads. Throws DataError for a damaged
  // file.
  Batch load(std::span<const int64_t> global_sample_indices) const;

  // What load() does: every array at its size, holding rows without a sample; then row by row the
  // sample that is met as global index `index`.
  virtual Batch empty_batch(int64_t num_samples) const = 0;
  virtual void fill_row(Batch& batch, size_t row, int64_t index) const = 0;

 protected:
  Loader(int64_t sequence_length, SampleOrder order, uint64_t seed)
      : sequence_length_(sequence_length), order_(order), seed_(seed) {}
  // At least 1; before the first load.
  void set_num_samples(int64_t num_samples) { num_samples_ = num_samples; }
  uint64_t seed() const { return seed_; }
  // Which of the num_samples samples a global index is.
  int64_t sample_of(int64_t index) const;

 private:
  int64_t sequence_length_;
  int64_t num_samples_ = 0;
  SampleOrder order_;
  uint64_t seed_;
};

// A batch of rows without a sample, `pad` in place of tokens.
Batch batch_without_samples(int64_t num_samples, int64_t sequence_length, int64_t pad);

}  // namespace lmtrain
