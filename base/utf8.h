// UTF-8 as defined by RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lmtrain {

inline constexpr std::string_view kUtf8Bom = "\xEF\xBB\xBF";

// Where the first byte is that is not part of a valid character; text.size() when all is valid.
size_t find_invalid_utf8(std::string_view text);

// The text with U+FFFD for each byte that is not part of a valid character, as what a model of
// bytes writes is shown.
std::string shown_as_utf8(std::string_view text);

}  // namespace lmtrain
