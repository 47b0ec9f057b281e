// Pairs of segments for BERT's pretraining, as Google's create_pretraining_data makes them (Devlin
// et al., 2019), and for sentence order as ALBERT's does (Lan et al., 2020).
#pragma once

#include <cstdint>
#include <vector>

#include "data/data_config.h"
#include "data/token_file.h"

namespace lmtrain {

// A segment is a stretch of a token file: whole lines, each with the separator that ends it, which
// does not count and is left out when the segment is read.
struct Segment {
  int64_t begin = 0;
  int32_t num_stored = 0;  // separators included
};

struct SegmentPair {
  Segment first;
  Segment second;
  bool is_negative = false;  // the second is from elsewhere, or both are swapped
};

struct PairRule {
  PairKind kind = PairKind::kNextSentence;
  int64_t sequence_length = 0;
  double short_fraction = 0;
  uint64_t seed = 0;
  int64_t duplicate = 0;  // each makes other pairs
};

// All pairs of the file in the order of its documents, a pure function of file and rule. The lines
// of a document fill up one pair after another: as many as reach sequence_length - 3 tokens (in
// short_fraction of them a smaller, random target), cut into two at random. For next_sentence half
// the second segments are lines of another document, and the lines they replace are used next. A
// document of one line gives the same with a second segment from elsewhere; for sentence_order the
// line is cut in two.
std::vector<SegmentPair> pair_segments(const TokenFile& file, const PairRule& rule);

}  // namespace lmtrain
