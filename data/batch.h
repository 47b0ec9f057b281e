// One batch's samples as flat arrays, from the loader to the loss.
#pragma once

#include <cstdint>
#include <vector>

namespace lmtrain {

// Arrays without another note are row-major [num_samples, sequence_length].
struct Batch {
  int64_t num_samples = 0;
  int64_t sequence_length = 0;

  std::vector<int64_t> ids;
  std::vector<int64_t> labels;           // the next token, or the one that a mask hides
  std::vector<float> weights;            // of each label in the loss; 0: not counted
  std::vector<int32_t> document_ids;     // counts the documents within a sample, from 0
  std::vector<uint8_t> padding_mask;     // 1: a real token; these come first
  std::vector<int64_t> segments;         // 0 or 1 in pairs of segments; empty where there are none
  std::vector<int64_t> sentence_labels;  // [num_samples]: 0 the segments belong together, 1 not;
                                         // empty without pairs
  std::vector<int64_t> sample_indices;   // [num_samples]: global index, see Loader
  std::vector<uint64_t> sample_hashes;   // [num_samples]: XXH3 of the sample's tokens as int32
};

}  // namespace lmtrain
