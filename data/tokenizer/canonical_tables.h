// Tables of the canonical decomposition and composition of characters (Unicode Standard, 3.11).
// scripts/make_unicode_tables.py writes canonical_tables.cpp.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "data/tokenizer/code_point_range.h"

namespace lmtrain {

struct SingleDecomposition {
  uint32_t from;
  uint32_t to;
};

struct PairDecomposition {
  uint32_t from;
  uint32_t first;  // may decompose further
  uint32_t second;
};

struct CombiningClassRun {
  uint32_t first;
  uint32_t last;
  uint8_t combining_class;
};

// All tables are sorted by code point. Hangul is not listed: it is computed. A combining class that
// is not listed is 0.
struct CanonicalTables {
  std::span<const SingleDecomposition> singles;
  std::span<const PairDecomposition> pairs;
  std::span<const PairDecomposition> more_pairs;  // in a newer version of Unicode
  std::span<const CombiningClassRun> combining_classes;
  std::span<const CodePointRange> exclusions;  // pairs that composition leaves apart; only of kHf
};

extern const CanonicalTables kHfCanonicalTables;      // as in the tokenizers package
extern const CanonicalTables kPythonCanonicalTables;  // as in Python's unicodedata

// The full decomposition of one character: at most 4 characters that do not decompose further.
struct CanonicalCharacters {
  std::array<uint32_t, 4> code_points;
  uint32_t size;
};
CanonicalCharacters decompose(const CanonicalTables& tables, uint32_t code_point);

// Hangul syllables, which decompose by arithmetic.
inline constexpr CodePointRange kHangulSyllables = {0xAC00, 0xD7A3};
inline constexpr CodePointRange kHangulVowels = {0x1161, 0x1175};
inline constexpr CodePointRange kHangulTails = {0x11A8, 0x11C2};
// Returns the syllable made of a lead and a vowel, or of a syllable without a tail and a tail; 0
// when the two do not compose.
uint32_t compose_hangul(uint32_t first, uint32_t second);

uint8_t combining_class(const CanonicalTables& tables, uint32_t code_point);

}  // namespace lmtrain
