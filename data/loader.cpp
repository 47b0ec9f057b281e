#include "data/loader.h"

#include <utility>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"
#include "data/permutation.h"

namespace lmtrain {
namespace {

// Every array at its size, holding rows without a sample.
Batch empty_batch(int64_t num_samples, int64_t sequence_length, int64_t end_of_text) {
  const auto rows = static_cast<size_t>(num_samples);
  const size_t cells = rows * static_cast<size_t>(sequence_length);
  Batch batch;
  batch.num_samples = num_samples;
  batch.sequence_length = sequence_length;
  batch.ids.assign(cells, end_of_text);
  batch.labels.assign(cells, end_of_text);
  batch.weights.assign(cells, 0.0F);
  batch.positions.resize(cells);
  batch.document_ids.assign(cells, 0);
  batch.padding_mask.assign(cells, 0);
  batch.sample_indices.assign(rows, kNoSample);
  batch.sample_hashes.assign(rows, 0);
  for (size_t i = 0; i < cells; ++i) {
    batch.positions[i] = static_cast<int64_t>(i) % sequence_length;
  }
  return batch;
}

// `tokens`: sequence_length + 1 of them. A document's end token is its last.
void fill_row(Batch& batch, size_t row, std::span<const int32_t> tokens, int64_t end_of_text) {
  const auto length = static_cast<size_t>(batch.sequence_length);
  const size_t begin = row * length;
  int32_t document = 0;
  for (size_t i = 0; i < length; ++i) {
    batch.ids[begin + i] = tokens[i];
    batch.labels[begin + i] = tokens[i + 1];
    batch.weights[begin + i] = 1.0F;
    batch.document_ids[begin + i] = document;
    batch.padding_mask[begin + i] = 1;
    if (tokens[i] == end_of_text) ++document;
  }
  batch.sample_hashes[row] = hash_bytes(tokens.data(), tokens.size_bytes());
}

}  // namespace

void require_one_sample(const TokenFile& file, int64_t sequence_length) {
  if (file.num_tokens() > sequence_length) return;
  throw DataError(cat(file.path().string(), " holds ", file.num_tokens(),
                      " tokens, but data.sequence_length = ", sequence_length, " needs at least ",
                      sequence_length + 1,
                      "; lower it, add text, or change data.validation_fraction"));
}

Loader::Loader(TokenFile file, int64_t sequence_length, SampleOrder order, uint64_t seed)
    : file_(std::move(file)), sequence_length_(sequence_length), order_(order), seed_(seed) {
  require_one_sample(file_, sequence_length);
  num_samples_ = (file_.num_tokens() - 1) / sequence_length;
}

Batch Loader::load(std::span<const int64_t> global_sample_indices) const {
  const int64_t end_of_text = file_.header().end_of_text;
  Batch batch = empty_batch(static_cast<int64_t>(global_sample_indices.size()), sequence_length_,
                            end_of_text);
  std::vector<int32_t> tokens(static_cast<size_t>(sequence_length_ + 1));
  for (size_t row = 0; row < global_sample_indices.size(); ++row) {
    const int64_t index = global_sample_indices[row];
    if (index == kNoSample) continue;
    file_.read(window_of(index) * sequence_length_, tokens);
    fill_row(batch, row, tokens, end_of_text);
    batch.sample_indices[row] = index;
  }
  return batch;
}

int64_t Loader::window_of(int64_t index) const {
  const int64_t within_epoch = index % num_samples_;
  if (order_ == SampleOrder::kAsInFile) return within_epoch;
  const int64_t epoch = index / num_samples_;
  return Permutation(num_samples_, seed_, static_cast<uint64_t>(epoch))(within_epoch);
}

}  // namespace lmtrain
