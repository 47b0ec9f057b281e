// Samples for training BERT: masked windows of contiguous text, or masked pairs of segments.
#pragma once

#include <vector>

#include "data/data_config.h"
#include "data/loader.h"
#include "data/masking.h"
#include "data/segment_pairs.h"
#include "data/tokenizer/tokenizer.h"
#include "data/word_starts.h"

namespace lmtrain {

// Without pairs, a sample is [CLS], a window of sequence_length - 2 tokens, and [SEP]. Windows do
// not overlap; one may hold several documents with [SEP] between them. A pair is [CLS] first [SEP]
// second [SEP]. A pair that is too long loses tokens at random ends of its longer segment; a short
// one is padded. The mask is a pure function of the seed and, with dynamic masks, of the sample's
// global index, otherwise of the sample.
class MaskedLoader : public Loader {
 public:
  // In evaluation, whose order is not kPermutedEachEpoch, the text is made into samples once;
  // data.duplicates has no effect. Throws DataError when there is no sample or the tokenizer lacks
  // a token that masking needs.
  MaskedLoader(TokenFile file, const Tokenizer& tokenizer, const DataConfig& config,
               SampleOrder order, uint64_t seed);

  Batch empty_batch(std::span<const int64_t> indices) const override;
  void fill_row(Batch& batch, size_t row, int64_t index) const override;

 private:
  struct Sequence;

  void append_window(int64_t window, Sequence& sequence) const;
  void append_pair(const SegmentPair& pair, int64_t sample, Sequence& sequence) const;
  std::vector<int32_t> tokens_of(const Segment& segment) const;

  TokenFile file_;
  DataConfig config_;
  MaskingRule rule_;
  WordStarts word_starts_;
  int32_t class_token_;
  int32_t separator_;
  int32_t pad_;
  int64_t num_windows_ = 0;
  std::vector<SegmentPair> pairs_;
};

// Throws DataError naming the token that the tokenizer lacks: BERT's [CLS], [SEP], [PAD], [MASK],
// or RoBERTa's <s>, </s>, <pad>, <mask>. The message begins with `place`.
void require_masking_tokens(const Tokenizer& tokenizer, const std::string& place);

}  // namespace lmtrain
