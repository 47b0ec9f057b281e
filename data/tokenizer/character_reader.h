// Reads the characters of a text with their classes in split patterns; ASCII is read fast.
#pragma once

#include <array>
#include <cstdint>

#include "data/tokenizer/unicode_tables.h"
#include "data/tokenizer/utf8_character.h"

namespace lmtrain {

class CharacterReader {
 public:
  struct Character {
    CharacterClass type;
    uint32_t size;  // bytes
  };

  // Reads only characters before `end`.
  explicit CharacterReader(const char* end) : end_(end), classes_(byte_classes()) {}

  const char* end() const { return end_; }

  // Returns the character at `at`, which must be before the end. A byte that is not UTF-8 counts as
  // a character of the class kOther.
  Character read(const char* at) const {
    const uint8_t type = classes_[static_cast<uint8_t>(*at)];
    if (type != kNotAscii) return {static_cast<CharacterClass>(type), 1};
    const Utf8Character character = read_utf8(at, end_);
    if (character.code_point == Utf8Character::kInvalid) return {CharacterClass::kOther, 1};
    return {character_class(character.code_point), character.size};
  }

  // Returns the end of the run of characters of one class that starts at `at`.
  const char* run_end(const char* at, CharacterClass type) const {
    while (true) {
      while (at < end_ && classes_[static_cast<uint8_t>(*at)] == static_cast<uint8_t>(type)) ++at;
      if (at == end_ || classes_[static_cast<uint8_t>(*at)] != kNotAscii) return at;
      const Character next = read(at);
      if (next.type != type) return at;
      at += next.size;
    }
  }

  // Returns the end of the white space from `begin` that the pattern \s+(?!\S)|\s+ matches: all of
  // it, or all but its last character when other text follows and there is more than one character.
  const char* spaces_end(const char* begin) const {
    const char* last = begin;
    const char* at = begin;
    while (at < end_) {
      const Character next = read(at);
      if (next.type != CharacterClass::kSpace) return last == begin ? at : last;
      last = at;
      at += next.size;
    }
    return at;
  }

 private:
  // Marks the bytes of characters longer than one byte, which have no class of their own.
  static constexpr uint8_t kNotAscii = 0xFF;
  using ByteClasses = std::array<uint8_t, 256>;

  static const ByteClasses& byte_classes() {
    static const ByteClasses classes = [] {
      ByteClasses result;
      result.fill(kNotAscii);
      for (uint32_t c = 0; c < 128; ++c) result[c] = static_cast<uint8_t>(character_class(c));
      return result;
    }();
    return classes;
  }

  const char* end_;
  const ByteClasses& classes_;
};

}  // namespace lmtrain
