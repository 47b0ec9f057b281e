// Tables of the character properties that BERT's tokenizers use. scripts/make_unicode_tables.py
// writes bert_tables.cpp.
#pragma once

#include <cstdint>
#include <span>

#include "data/tokenizer/canonical_tables.h"
#include "data/tokenizer/code_point_range.h"

namespace lmtrain {

// The lower-case forms of first, first + step, ..., last are these code points plus `difference`.
struct LowerCaseRun {
  uint32_t first;
  uint32_t last;
  uint32_t step;
  int32_t difference;
};

// `lower` holds every lower-case form except that of U+0130, which is two characters.
struct BertTables {
  const char* version;
  // Cleaning removes `deleted` and turns each of `spaces` into a space.
  std::span<const CodePointRange> deleted;
  std::span<const CodePointRange> spaces;
  std::span<const CodePointRange> cjk;  // each is a word of its own
  // Splitting separates words at `whitespace`; each of `punctuation` is a word of its own.
  std::span<const CodePointRange> whitespace;
  std::span<const CodePointRange> punctuation;
  std::span<const CodePointRange> marks;  // accents
  // For a capital sigma at a word's end: the cased letters that must come before it, and the
  // characters that may stand in between.
  std::span<const CodePointRange> cased;
  std::span<const CodePointRange> case_ignorable;
  std::span<const LowerCaseRun> lower;
  const CanonicalTables& canonical;
};

extern const BertTables kHfBertTables;      // as in the tokenizers package
extern const BertTables kGoogleBertTables;  // as in Google's BERT with Python's unicodedata

}  // namespace lmtrain
