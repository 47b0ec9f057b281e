// Made by scripts/make_unicode_tables.py from tokenizers 0.23.3; do not edit.
// The class of every code point in the split pattern of GPT-2: \p{L}, \p{N}, \s or none of them.
#pragma once

#include <cstdint>

namespace lmtrain {

enum class CharacterClass : uint8_t { kOther = 0, kLetter = 1, kNumber = 2, kSpace = 3 };

inline constexpr char kUnicodeTablesVersion[] = "tokenizers-0.23.3";

namespace unicode_tables {
// Two bits a code point, lowest first; pages of 256 code points, equal pages kept once.
extern const uint8_t kPageOfBlock[4352];
extern const uint64_t kPages[133][8];
}  // namespace unicode_tables

// `code_point` is below 0x110000. Surrogates are kOther.
inline CharacterClass character_class(uint32_t code_point) {
  const uint64_t* page = unicode_tables::kPages[unicode_tables::kPageOfBlock[code_point / 256]];
  return static_cast<CharacterClass>((page[code_point % 256 / 32] >> (code_point % 32 * 2)) & 3);
}

}  // namespace lmtrain
