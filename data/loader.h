// Batches of samples, in an order that is a pure function of (seed, epoch, index).
#pragma once

#include <cstdint>
#include <span>

#include "data/batch.h"
#include "data/token_file.h"

namespace lmtrain {

// Training permutes the samples anew in each epoch. Validation takes them in one order that no seed
// changes and that spreads any number of them over the whole file.
enum class SampleOrder { kPermutedEachEpoch, kSpread, kAsInFile };

// An index that stands for no sample: its row holds padding of weight 0. It fills the rows that are
// left over when a batch has fewer samples than the ranks have rows.
inline constexpr int64_t kNoSample = -1;

// Global index i is sample permutation(seed, i / num_samples)(i % num_samples), so a batch may
// straddle epochs.
class Loader {
 public:
  virtual ~Loader() = default;

  // No sample is longer; batches may be narrower.
  int64_t sequence_length() const { return sequence_length_; }
  int64_t num_samples() const { return num_samples_; }

  // Returns one row per index, in the given order. Thread-safe. Throws DataError
  // for a damaged file.
  Batch load(std::span<const int64_t> global_sample_indices) const;

  // The two parts of load(): empty_batch() gives every array its final size, with rows that hold no
  // sample; fill_row() writes the sample of global index `index` into one row.
  virtual Batch empty_batch(std::span<const int64_t> global_sample_indices) const = 0;
  virtual void fill_row(Batch& batch, size_t row, int64_t index) const = 0;

 protected:
  Loader(int64_t sequence_length, SampleOrder order, uint64_t seed)
      : sequence_length_(sequence_length), order_(order), seed_(seed) {}
  // Must be called before the first load, with at least 1.
  void set_num_samples(int64_t num_samples) { num_samples_ = num_samples; }
  uint64_t seed() const { return seed_; }
  // Returns the sample, in [0, num_samples), that a global index stands for.
  virtual int64_t sample_of(int64_t index) const;

 private:
  int64_t sequence_length_;
  int64_t num_samples_ = 0;
  SampleOrder order_;
  uint64_t seed_;
};

// Returns a batch whose rows hold no sample; its ids are all `pad`.
Batch batch_without_samples(int64_t num_samples, int64_t sequence_length, int64_t pad);

}  // namespace lmtrain
