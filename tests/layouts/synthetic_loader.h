// Samples of random tokens for the layout tests, as unequal as real ones: some have few tokens, and
// some have none that is to be predicted.
#pragma once

#include <algorithm>
#include <random>

#include "data/loader.h"
#include "models/model_config.h"

namespace lmtrain {

class SyntheticLoader : public Loader {
 public:
  // For encoders with a language head, samples are pairs of segments and every third token is
  // masked; of each dozen, samples 8 and later have no masked token. Of decoders these learn some
  // tokens alone, as of instructions the answers, where the vocabulary is small: each token of a
  // large one is then so rare that rounding decides AdamW's steps. Heads of labels get labels of
  // unequal weights, and as many samples without one.
  SyntheticLoader(const ModelConfig& model, int64_t sequence_length)
      : Loader(sequence_length, SampleOrder::kPermutedEachEpoch, 5), model_(model) {
    set_num_samples(48);
  }

  Batch empty_batch(std::span<const int64_t> indices) const override {
    Batch batch = batch_without_samples(std::ssize(indices), sequence_length(), 0);
    if (is_encoder()) batch.segments.assign(batch.ids.size(), 0);
    if (model_.has_sentence_head()) batch.sentence_labels.assign(indices.size(), -1);
    if (model_.has_label_head()) std::ranges::fill(batch.labels, -1);
    if (model_.is_regression()) batch.sample_values.assign(indices.size(), 0.0);
    if (model_.answers_questions()) batch.passages.assign(indices.size(), {0, 1});
    return batch;
  }

  void fill_row(Batch& batch, size_t row, int64_t index) const override {
    std::mt19937_64 random(static_cast<uint64_t>(sample_of(index)) * 7919 + 1);
    const auto length = static_cast<size_t>(sequence_length());
    const size_t real = random() % 3 == 2 ? length / 2 : length;  // in no order of ranks
    const size_t begin = row * length;
    for (size_t i = length / 3; i < length; ++i) batch.document_ids[begin + i] = 1;
    for (size_t i = 0; i < real; ++i) {
      const auto token = static_cast<int64_t>(random() % static_cast<uint64_t>(model_.vocab_size));
      batch.ids[begin + i] = token;
      batch.padding_mask[begin + i] = 1;
      if (is_encoder()) batch.segments[begin + i] = i < real / 2 ? 0 : 1;
      if (model_.has_label_head()) continue;
      if (is_encoder()) {
        batch.labels[begin + i] = token;
        if (index % 12 < 8 && i % 3 == 1) batch.weights[begin + i] = 1.0F;
      } else if (i > 0) {
        batch.labels[begin + i - 1] = token;
        const bool is_asked = index % 12 >= 8 && i % 6 <= 2 && model_.vocab_size < 1000;
        batch.weights[begin + i - 1] = is_asked ? 0.0F : 1.0F;
      }
    }
    if (model_.has_sentence_head()) batch.sentence_labels[row] = index % 5 == 0 ? -1 : index % 2;
    if (model_.has_label_head() && index % 12 < 8) fill_labels(batch, row, index, real);
    batch.sample_hashes[row] = random();
  }

 private:
  bool is_encoder() const { return !model_.traits().predicts_next_token(); }

  void fill_labels(Batch& batch, size_t row, int64_t index, size_t real) const {
    const size_t begin = row * static_cast<size_t>(sequence_length());
    batch.weights[begin] = 1.0F;
    if (model_.answers_questions()) {
      batch.labels[begin] = index % 3;
      batch.labels[begin + 1] = index % 3 + 1;
      batch.passages[row] = {1, static_cast<int64_t>(real)};
    } else if (model_.is_regression()) {
      batch.sample_values[row] = 0.25 * static_cast<double>(index % 7);
    } else if (model_.classifies_texts()) {
      batch.labels[begin] = index % model_.num_labels();
      batch.weights[begin] = index % 2 == 0 ? 0.5F : 1.5F;
    } else {
      for (size_t i = 0; i < real; i += 2) {
        batch.labels[begin + i] = (index + static_cast<int64_t>(i)) % model_.num_labels();
        batch.weights[begin + i] = i % 4 == 0 ? 0.5F : 1.0F;
      }
    }
  }

  ModelConfig model_;
};

}  // namespace lmtrain
