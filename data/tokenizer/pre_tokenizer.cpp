#include "data/tokenizer/pre_tokenizer.h"

#include <array>
#include <cstdint>

#include "base/error.h"
#include "base/strict_json.h"
#include "base/text.h"
#include "data/tokenizer/unicode_tables.h"
#include "data/tokenizer/utf8_character.h"

namespace lmtrain {

namespace {

using enum CharacterClass;

// The class of each ASCII byte; no class for the bytes of longer characters.
constexpr uint8_t kNotAscii = 0xFF;
using ByteClasses = std::array<uint8_t, 256>;

const ByteClasses& byte_classes() {
  static const ByteClasses classes = [] {
    ByteClasses result;
    result.fill(kNotAscii);
    for (uint32_t c = 0; c < 128; ++c) result[c] = static_cast<uint8_t>(character_class(c));
    return result;
  }();
  return classes;
}

class Scanner {
 public:
  Scanner(const char* end, const ByteClasses& classes) : end_(end), classes_(classes) {}

  // The end of the word that starts at `begin`; begin < end of the text.
  const char* word_end(const char* begin) const {
    if (*begin == '\'') {
      const char* after = contraction_end(begin);
      if (after != nullptr) return after;
    }
    const Character first = read(begin);
    if (first.type != kSpace) return run_end(begin + first.size, first.type);
    if (*begin == ' ' && begin + 1 < end_) {
      const Character second = read(begin + 1);
      if (second.type != kSpace) return run_end(begin + 1 + second.size, second.type);
    }
    return spaces_end(begin);
  }

 private:
  struct Character {
    CharacterClass type;
    uint32_t size;
  };

  Character read(const char* at) const {
    const uint8_t type = classes_[static_cast<uint8_t>(*at)];
    if (type != kNotAscii) return {static_cast<CharacterClass>(type), 1};
    const Utf8Character character = read_utf8(at, end_);
    if (character.code_point == Utf8Character::kInvalid) return {kOther, 1};
    return {character_class(character.code_point), character.size};
  }

  // The end of the characters of one class from `at` on.
  const char* run_end(const char* at, CharacterClass type) const {
    while (true) {
      while (at < end_ && classes_[static_cast<uint8_t>(*at)] == static_cast<uint8_t>(type)) ++at;
      if (at == end_ || classes_[static_cast<uint8_t>(*at)] != kNotAscii) return at;
      const Character next = read(at);
      if (next.type != type) return at;
      at += next.size;
    }
  }

  // White space goes together, but for its last character when a word follows: a space there
  // belongs to that word, and another character is a word of its own.
  const char* spaces_end(const char* begin) const {
    const char* last = begin;
    const char* at = begin;
    while (at < end_) {
      const Character next = read(at);
      if (next.type != kSpace) return last == begin ? at : last;
      last = at;
      at += next.size;
    }
    return at;
  }

  // The end of 's, 't, 'm, 'd, 're, 've or 'll at `begin`, or nullptr.
  const char* contraction_end(const char* begin) const {
    const auto available = end_ - begin;
    if (available < 2) return nullptr;
    const char a = begin[1];
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return begin + 2;
    if (available < 3) return nullptr;
    const char b = begin[2];
    const bool long_form =
        (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l');
    return long_form ? begin + 3 : nullptr;
  }

  const char* end_;
  const ByteClasses& classes_;
};

void check_tables(JsonObject& object) {
  const nlohmann::json* tables = object.find("unicode_tables");
  if (tables == nullptr || *tables == kUnicodeTablesVersion) return;
  object.fail("unicode_tables",
              cat("made with the tables ", show_value(*tables), ", this program splits text by '",
                  kUnicodeTablesVersion, "': train the tokenizer again"));
}

}  // namespace

size_t ByteLevelPreTokenizer::next_words(std::string_view text, size_t& position,
                                         std::span<std::string_view> words) const {
  const char* at = text.data() + position;
  const char* end = text.data() + text.size();
  const Scanner scanner(end, byte_classes());
  size_t count = 0;
  for (; count < words.size() && at < end; ++count) {
    const char* word_end = scanner.word_end(at);
    words[count] = {at, static_cast<size_t>(word_end - at)};
    at = word_end;
  }
  position = static_cast<size_t>(at - text.data());
  return count;
}

std::string ByteLevelPreTokenizer::to_json() const {
  return cat(R"({"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,)",
             R"("use_regex":true,"unicode_tables":")", kUnicodeTablesVersion, R"("})");
}

std::unique_ptr<PreTokenizer> parse_pre_tokenizer(const nlohmann::json& value,
                                                  const std::string& place) {
  JsonObject object(value, place);
  const std::string type = object.text("type");
  if (type != "ByteLevel") {
    throw DataError(cat(place, ": the type ", show_text(type), " is not supported; supported is",
                        " 'ByteLevel'"));
  }
  object.only("add_prefix_space", false);
  object.only("use_regex", true);
  object.boolean("trim_offsets", true);  // about offsets in the text, which lmtrain does not give
  check_tables(object);
  object.finish();
  return std::make_unique<ByteLevelPreTokenizer>();
}

}  // namespace lmtrain
