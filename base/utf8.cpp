#include "base/utf8.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace lmtrain {
namespace {

bool eight_ascii_bytes(const char* at) {
  uint64_t bytes = 0;
  std::memcpy(&bytes, at, sizeof bytes);
  return (bytes & UINT64_C(0x8080808080808080)) == 0;
}

// Returns the bytes of the character at the front of `text`, 0 when it is not valid.
size_t character_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  const unsigned second = byte(1);
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool surrogate = first == 0xED && second > 0x9F;
  const bool too_large = first == 0xF4 && second > 0x8F;
  return overlong || surrogate || too_large ? 0 : length;
}

// Bytes at the front that one U+FFFD stands for: the longest beginning of a character, else one
// (Unicode 15, section 3.9, "substitution of maximal subparts", as Python decodes).
size_t invalid_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0xC2 || first > 0xF4 || text.size() < 2) return 1;
  const unsigned low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const unsigned high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < low || byte(1) > high) return 1;
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  size_t count = 2;
  while (count < length && count < text.size() && (byte(count) & 0xC0U) == 0x80U) ++count;
  return count;
}

}  // namespace

int64_t num_characters(std::string_view text) {
  return std::ranges::count_if(text, starts_character);
}

size_t find_invalid_utf8(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    if (at + 8 <= text.size() && eight_ascii_bytes(text.data() + at)) {
      at += 8;
      continue;
    }
    const size_t length = character_length(text.substr(at));
    if (length == 0) return at;
    at += length;
  }
  return at;
}

std::string shown_as_utf8(std::string_view text) {
  std::string shown;
  while (true) {
    const size_t valid = find_invalid_utf8(text);
    shown += text.substr(0, valid);
    if (valid == text.size()) return shown;
    shown += kReplacementCharacter;
    text.remove_prefix(valid);
    text.remove_prefix(invalid_length(text));
  }
}

}  // namespace lmtrain
