// How a token is shown by itself, where its text may be a part of a character or a line break.
#pragma once

#include <cstdint>
#include <string>

#include "data/tokenizer/tokenizer.h"

namespace lmtrain {

// Its text; "bytes:\xe4\xbd" where that is only a part of a character, as OpenAI's API names it.
std::string token_name(const Tokenizer& tokenizer, int32_t token);

// The same in one line: control characters are spelt "\n" and "\x07".
std::string token_in_line(const Tokenizer& tokenizer, int32_t token);

}  // namespace lmtrain
