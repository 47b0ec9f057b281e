// Pairs of segments for BERT's pretraining, as Google's create_pretraining_data makes them (Devlin
// et al., 2019), and for sentence order as ALBERT's does (Lan et al., 2020).
#pragma once

#include <cstdint>
#include <vector>

#include "data/data_config.h"
#include "data/token_file.h"

namespace lmtrain {

// A segment is a range of a token file that holds whole lines. Each line is stored with the
// separator that ends it; separators are left out when the segment is read and do not
// count as its tokens.
struct Segment {
  int64_t begin = 0;
  int32_t num_stored = 0;  // separators included
};

struct SegmentPair {
  Segment first;
  Segment second;
  bool is_negative = false;  // the second is from another document, or both are swapped
};

struct PairRule {
  PairKind kind = PairKind::kNextSentence;
  int64_t sequence_length = 0;
  double short_fraction = 0;
  uint64_t seed = 0;
  int64_t duplicate = 0;  // each number gives other pairs
};

// Returns all pairs of the file in the order of its documents; they are a pure function of file and
// rule. A document's lines are used in order: a pair takes lines until they reach sequence_length -
// 3 tokens (a smaller, random number for short_fraction of the pairs) and splits them in two at a
// random line. For next_sentence, half the second segments are lines of another document instead
// (of the same one when ten tries find no other);
// the next pair then uses the lines that were replaced. A single line that cannot be split gets a
// second segment from another document for next_sentence; for sentence_order it is cut in two.
std::vector<SegmentPair> pair_segments(const TokenFile& file, const PairRule& rule);

}  // namespace lmtrain
