#include "trainer/inference/token_name.h"

#include "base/utf8.h"

namespace lmtrain {
namespace {

std::string hex(char byte) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  const auto value = static_cast<unsigned char>(byte);
  return {'\\', 'x', kDigits[value >> 4U], kDigits[value & 15U]};
}

}  // namespace

std::string token_name(const Tokenizer& tokenizer, int32_t token) {
  const std::string_view text = tokenizer.token_text(token);
  if (find_invalid_utf8(text) == text.size()) return std::string(text);
  std::string name = "bytes:";
  for (const char byte : text) name += hex(byte);
  return name;
}

std::string token_in_line(const Tokenizer& tokenizer, int32_t token) {
  std::string line;
  for (const char byte : token_name(tokenizer, token)) {
    const auto value = static_cast<unsigned char>(byte);
    const bool is_control = value < 0x20 || value == 0x7F;
    line += byte == '\n' ? "\\n" : is_control ? hex(byte) : std::string(1, byte);
  }
  return line;
}

}  // namespace lmtrain
