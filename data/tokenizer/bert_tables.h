// What the tokenizers of BERT know about characters, as data of the project:
// scripts/make_unicode_tables.py writes bert_tables.cpp.
#pragma once

#include <cstdint>
#include <span>

#include "data/tokenizer/canonical_tables.h"
#include "data/tokenizer/code_point_range.h"

namespace lmtrain {

// Those of first, first + step, ..., last become lower-case by adding `difference`.
struct LowerCaseRun {
  uint32_t first;
  uint32_t last;
  uint32_t step;
  int32_t difference;
};

// U+0130, which becomes two characters, is the one lower-case form that the runs do not hold.
struct BertTables {
  const char* version;
  // By cleaning: left out; turned into a space.
  std::span<const CodePointRange> deleted;
  std::span<const CodePointRange> spaces;
  std::span<const CodePointRange> cjk;  // each a word of its own
  // By splitting: between words; each a word of its own.
  std::span<const CodePointRange> whitespace;
  std::span<const CodePointRange> punctuation;
  std::span<const CodePointRange> marks;  // accents
  // What is a letter with cases before a capital sigma at a word's end, and what may stand between.
  std::span<const CodePointRange> cased;
  std::span<const CodePointRange> case_ignorable;
  std::span<const LowerCaseRun> lower;
  const CanonicalTables& canonical;
};

extern const BertTables kHfBertTables;      // of tokenizers
extern const BertTables kGoogleBertTables;  // of Google's BERT with Python's unicodedata

}  // namespace lmtrain
