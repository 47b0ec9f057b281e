// UTF-8 as defined by RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace lmtrain {

inline constexpr std::string_view kUtf8Bom = "\xEF\xBB\xBF";
inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";  // U+FFFD

// Whether the byte is the first of a character, in valid UTF-8.
inline bool starts_character(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U;
}
// The characters (code points) of valid UTF-8.
int64_t num_characters(std::string_view text);

// Returns the offset of the first byte that is not part of a valid character, or text.size() when
// the whole text is valid.
size_t find_invalid_utf8(std::string_view text);

// Returns the text with U+FFFD in place of what is no character, one for each beginning of a
// character that is not completed and for each other byte, as Python decodes: for showing the
// output of a byte-level model.
std::string shown_as_utf8(std::string_view text);

}  // namespace lmtrain
