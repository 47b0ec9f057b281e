// Canonical decomposition of characters (Unicode Standard, 3.11), as data of the project:
// scripts/make_unicode_tables.py writes canonical_tables.cpp.
#pragma once

#include <array>
#include <cstdint>
#include <span>

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

// Sorted by code point. Hangul is left to arithmetic; classes that are not listed are 0.
struct CanonicalTables {
  std::span<const SingleDecomposition> singles;
  std::span<const PairDecomposition> pairs;
  std::span<const PairDecomposition> more_pairs;  // in a newer version of Unicode
  std::span<const CombiningClassRun> combining_classes;
};

extern const CanonicalTables kHfCanonicalTables;      // of tokenizers
extern const CanonicalTables kPythonCanonicalTables;  // of Python's unicodedata

// The characters that one stands for, at most 4, none of which decomposes further.
struct CanonicalCharacters {
  std::array<uint32_t, 4> code_points;
  uint32_t size;
};
CanonicalCharacters decompose(const CanonicalTables& tables, uint32_t code_point);

uint8_t combining_class(const CanonicalTables& tables, uint32_t code_point);

}  // namespace lmtrain
