// Whether text is UTF-8.
#pragma once

#include <cstddef>
#include <string_view>

namespace lmtrain {

inline constexpr std::string_view kUtf8Bom = "\xEF\xBB\xBF";

// Where the first byte is that is not part of a well-formed character; text.size() when there is
// none.
size_t find_invalid_utf8(std::string_view text);

}  // namespace lmtrain
