#include "data/tokenizer/byte_alphabet.h"

#include "data/tokenizer/utf8_character.h"

namespace lmtrain {

namespace {

constexpr uint32_t kNumCodePoints = 0x144;  // all characters of the alphabet are below
constexpr int kNone = -1;

constexpr auto kCodePointOfByte = [] {
  std::array<uint32_t, 256> code_points{};
  uint32_t next = 0x100;
  for (uint32_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
    code_points[byte] = printable ? byte : next++;
  }
  return code_points;
}();

constexpr auto kByteOfCodePoint = [] {
  std::array<int, kNumCodePoints> bytes{};
  bytes.fill(kNone);
  for (int byte = 0; byte < 256; ++byte) bytes[kCodePointOfByte[static_cast<size_t>(byte)]] = byte;
  return bytes;
}();

}  // namespace

std::string write_byte_alphabet(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    append_short_utf8(kCodePointOfByte[static_cast<uint8_t>(byte)], text);
  }
  return text;
}

std::string read_byte_alphabet(std::string_view text) {
  std::string bytes;
  const char* end = text.data() + text.size();
  for (const char* at = text.data(); at < end;) {
    const auto [code_point, size] = read_utf8(at, end);
    const int byte = code_point < kNumCodePoints ? kByteOfCodePoint[code_point] : kNone;
    if (byte == kNone) return std::string(text);
    bytes += static_cast<char>(byte);
    at += size;
  }
  return bytes;
}

std::array<uint8_t, 256> bytes_by_code_point() {
  std::array<uint8_t, 256> bytes{};
  size_t count = 0;
  for (const int byte : kByteOfCodePoint) {
    if (byte != kNone) bytes[count++] = static_cast<uint8_t>(byte);
  }
  return bytes;
}

}  // namespace lmtrain
