// One batch's samples as flat arrays, as the loader makes them and the loss uses them.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace lmtrain {

// Arrays without another note are row-major [num_samples, sequence_length].
struct Batch {
  int64_t num_samples = 0;
  int64_t sequence_length = 0;

  std::vector<int64_t> ids;
  // The next token, or the original token at a mask. Of labelled texts, -1 where there is none: the
  // label of a text at its first token, of tokens at each, the first and last token of an answer at
  // the first two.
  std::vector<int64_t> labels;
  std::vector<float> weights;            // the weight of each label in the loss; 0: not counted. Of
                                         // a text or an answer at the first token
  std::vector<int32_t> document_ids;     // numbers the documents within a sample, from 0
  std::vector<uint8_t> padding_mask;     // 1: real token, 0: padding; padding comes last
  std::vector<int64_t> segments;         // 0: first segment, 1: second; empty without pairs
  std::vector<int64_t> sentence_labels;  // [num_samples]: 0: the segments belong together, 1: they
                                         // do not; empty without pairs
  std::vector<double> sample_values;     // [num_samples]: of a regression; else empty
  // [num_samples]: between which tokens the passage of a question is, the second behind the last;
  // empty without questions.
  std::vector<std::pair<int64_t, int64_t>> passages;
  std::vector<int64_t> sample_indices;  // [num_samples]: global index, see Loader
  std::vector<uint64_t> sample_hashes;  // [num_samples]: XXH3 of the sample's tokens as int32
  std::vector<int64_t> sample_places;   // [num_samples]: of the first token in the token file
};

}  // namespace lmtrain
