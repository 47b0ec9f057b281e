// Reads and writes UTF-8 one character at a time.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

namespace lmtrain {

struct Utf8Character {
  // Stands for a byte that is not part of well-formed UTF-8; its size is 1. Overlong forms,
  // surrogates and values over 0x10FFFF are ill-formed too.
  static constexpr uint32_t kInvalid = 0xFFFFFFFF;
  uint32_t code_point;
  uint32_t size;  // bytes
};

// Returns the character at `begin`; begin < end.
inline Utf8Character read_utf8(const char* begin, const char* end) {
  const auto byte = [&](int i) { return static_cast<uint32_t>(static_cast<uint8_t>(begin[i])); };
  const uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const auto available = end - begin;
  const auto continues = [&](int i) { return (byte(i) & 0xC0) == 0x80; };
  if (lead >= 0xC2 && lead < 0xE0 && available >= 2 && continues(1)) {
    return {(lead & 0x1F) << 6 | (byte(1) & 0x3F), 2};
  }
  if ((lead & 0xF0) == 0xE0 && available >= 3 && continues(1) && continues(2)) {
    const uint32_t code_point = (lead & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
    const bool surrogate = code_point >= 0xD800 && code_point < 0xE000;
    if (code_point >= 0x800 && !surrogate) return {code_point, 3};
  }
  if (lead >= 0xF0 && lead < 0xF5 && available >= 4 && continues(1) && continues(2) &&
      continues(3)) {
    const uint32_t code_point =
        (lead & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
    if (code_point >= 0x10000 && code_point < 0x110000) return {code_point, 4};
  }
  return {Utf8Character::kInvalid, 1};
}

// Returns the end of the run of ASCII characters that starts at `at`.
inline const char* ascii_end(const char* at, const char* end) {
  while (end - at >= 8) {
    uint64_t bytes = 0;
    std::memcpy(&bytes, at, sizeof bytes);
    const uint64_t high = bytes & 0x8080808080808080;
    if (high != 0) return at + std::countr_zero(high) / 8;
    at += 8;
  }
  while (at < end && static_cast<uint8_t>(*at) < 0x80) ++at;
  return at;
}

// Appends the UTF-8 form of a code point below 0x800 (which is all that the byte alphabet needs).
inline void append_short_utf8(uint32_t code_point, std::string& text) {
  if (code_point < 0x80) {
    text += static_cast<char>(code_point);
  } else {
    text += static_cast<char>(0xC0 | code_point >> 6);
    text += static_cast<char>(0x80 | (code_point & 0x3F));
  }
}

// Appends the UTF-8 form of any code point.
inline void append_utf8(uint32_t code_point, std::string& text) {
  if (code_point < 0x800) return append_short_utf8(code_point, text);
  const auto continued = [&](int shift) {
    return static_cast<char>(0x80 | (code_point >> shift & 0x3F));
  };
  if (code_point < 0x10000) {
    text += static_cast<char>(0xE0 | code_point >> 12);
  } else {
    text += static_cast<char>(0xF0 | code_point >> 18);
    text += continued(12);
  }
  text += continued(6);
  text += continued(0);
}

}  // namespace lmtrain
