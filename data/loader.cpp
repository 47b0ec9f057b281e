#include "data/loader.h"

#include "data/permutation.h"

namespace lmtrain {
namespace {

constexpr uint64_t kSpreadSeed = 0x535052454144;

}  // namespace

Batch batch_without_samples(int64_t num_samples, int64_t sequence_length, int64_t pad) {
  const auto rows = static_cast<size_t>(num_samples);
  const size_t cells = rows * static_cast<size_t>(sequence_length);
  Batch batch;
  batch.num_samples = num_samples;
  batch.sequence_length = sequence_length;
  batch.ids.assign(cells, pad);
  batch.labels.assign(cells, pad);
  batch.weights.assign(cells, 0.0F);
  batch.document_ids.assign(cells, 0);
  batch.padding_mask.assign(cells, 0);
  batch.sample_indices.assign(rows, kNoSample);
  batch.sample_hashes.assign(rows, 0);
  batch.sample_places.assign(rows, 0);
  return batch;
}

Batch Loader::load(std::span<const int64_t> global_sample_indices) const {
  Batch batch = empty_batch(global_sample_indices);
  for (size_t row = 0; row < global_sample_indices.size(); ++row) {
    const int64_t index = global_sample_indices[row];
    if (index == kNoSample) continue;
    batch.sample_indices[row] = index;
    fill_row(batch, row, index);
  }
  return batch;
}

int64_t Loader::sample_of(int64_t index) const {
  const int64_t within_epoch = index % num_samples_;
  if (order_ == SampleOrder::kAsInFile) return within_epoch;
  if (order_ == SampleOrder::kSpread)
    return Permutation(num_samples_, kSpreadSeed, 0)(within_epoch);
  const int64_t epoch = index / num_samples_;
  return Permutation(num_samples_, seed_, static_cast<uint64_t>(epoch))(within_epoch);
}

}  // namespace lmtrain
