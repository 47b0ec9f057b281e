// The characters that \w matches in the tokenizers
// package. scripts/make_unicode_tables.py writes word_characters.cpp.
#pragma once

#include <span>

#include "data/tokenizer/code_point_range.h"

namespace lmtrain {

extern const std::span<const CodePointRange> kWordCharacters;

}  // namespace lmtrain
