#include "data/utf8.h"

#include <cstdint>
#include <cstring>

#include "data/tokenizer/utf8_character.h"

namespace lmtrain {
namespace {

bool eight_ascii_bytes(const char* at) {
  uint64_t bytes;
  std::memcpy(&bytes, at, sizeof bytes);
  return (bytes & UINT64_C(0x8080808080808080)) == 0;
}

}  // namespace

size_t find_invalid_utf8(std::string_view text) {
  const char* end = text.data() + text.size();
  size_t at = 0;
  while (at < text.size()) {
    if (at + 8 <= text.size() && eight_ascii_bytes(text.data() + at)) {
      at += 8;
      continue;
    }
    const Utf8Character character = read_utf8(text.data() + at, end);
    if (character.code_point == Utf8Character::kInvalid) break;
    at += character.size;
  }
  return at;
}

}  // namespace lmtrain
