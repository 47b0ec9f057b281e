// Samples of random tokens for the layout tests, as unequal as real ones: some have few tokens, and
// some have none that is to be predicted.
#pragma once

#include <algorithm>
#include <random>

#include "data/loader.h"

namespace lmtrain {

class SyntheticLoader : public Loader {
 public:
  // With `for_bert`, samples are pairs of segments and every third token is masked; of each dozen,
  // samples 8 and later have no masked token.
  SyntheticLoader(int64_t vocab_size, int64_t sequence_length, bool for_bert)
      : Loader(sequence_length, SampleOrder::kPermutedEachEpoch, 5),
        vocab_size_(vocab_size),
        for_bert_(for_bert) {
    set_num_samples(48);
  }

  Batch empty_batch(int64_t num_samples) const override {
    Batch batch = batch_without_samples(num_samples, sequence_length(), 0);
    if (!for_bert_) return batch;
    batch.segments.assign(batch.ids.size(), 0);
    batch.sentence_labels.assign(static_cast<size_t>(num_samples), -1);
    return batch;
  }

  void fill_row(Batch& batch, size_t row, int64_t index) const override {
    std::mt19937_64 random(static_cast<uint64_t>(sample_of(index)) * 7919 + 1);
    const auto length = static_cast<size_t>(sequence_length());
    const size_t real = random() % 3 == 2 ? length / 2 : length;  // in no order of ranks
    const size_t begin = row * length;
    for (size_t i = length / 3; i < length; ++i) batch.document_ids[begin + i] = 1;
    for (size_t i = 0; i < real; ++i) {
      const auto token = static_cast<int64_t>(random() % static_cast<uint64_t>(vocab_size_));
      batch.ids[begin + i] = token;
      batch.padding_mask[begin + i] = 1;
      if (for_bert_) {
        batch.segments[begin + i] = i < real / 2 ? 0 : 1;
        batch.labels[begin + i] = token;
        if (index % 12 < 8 && i % 3 == 1) batch.weights[begin + i] = 1.0F;
      } else if (i > 0) {
        batch.labels[begin + i - 1] = token;
        batch.weights[begin + i - 1] = 1.0F;
      }
    }
    if (for_bert_) batch.sentence_labels[row] = index % 5 == 0 ? -1 : index % 2;
    batch.sample_hashes[row] = random();
  }

 private:
  int64_t vocab_size_;
  bool for_bert_;
};

}  // namespace lmtrain
