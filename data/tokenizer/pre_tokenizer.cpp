#include "data/tokenizer/pre_tokenizer.h"

#include "base/error.h"
#include "base/strict_json.h"
#include "base/text.h"
#include "data/tokenizer/bert_pre_tokenizer.h"
#include "data/tokenizer/character_reader.h"
#include "data/tokenizer/tables_version.h"

namespace lmtrain {

namespace {

using enum CharacterClass;

// The pattern of Llama 3; Qwen's has another run of digits.
constexpr std::string_view kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
bool is_line_end(char c) { return c == '\r' || c == '\n'; }

// Returns the bytes of the contraction 's, 't, 'm, 'd, 're, 've or 'll, or 0 when there is none.
// `a` and `b` are the characters after the apostrophe, 0 after the end of the text.
int contraction_size(char a, char b) {
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
  const bool is_long = (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l');
  return is_long ? 3 : 0;
}

// Splits by the pattern of GPT-2.
class Gpt2Scanner {
 public:
  explicit Gpt2Scanner(const char* end) : reader_(end) {}

  // Returns the end of the word that starts at `begin`, which is before the end of the text.
  const char* word_end(const char* begin) const {
    if (*begin == '\'') {
      const char* after = contraction_end(begin);
      if (after != nullptr) return after;
    }
    const auto first = reader_.read(begin);
    if (first.type != kSpace) return reader_.run_end(begin + first.size, first.type);
    if (*begin == ' ' && begin + 1 < reader_.end()) {
      const auto second = reader_.read(begin + 1);
      if (second.type != kSpace) return reader_.run_end(begin + 1 + second.size, second.type);
    }
    return reader_.spaces_end(begin);
  }

 private:
  // Returns the end of a contraction at `begin`, or nullptr.
  const char* contraction_end(const char* begin) const {
    const auto available = reader_.end() - begin;
    const auto letter = [&](int i) { return i < available ? begin[i] : '\0'; };
    const int size = contraction_size(letter(1), letter(2));
    return size > 0 ? begin + size : nullptr;
  }

  CharacterReader reader_;
};

// Splits by the patterns of Llama 3 and Qwen.
class Llama3Scanner {
 public:
  Llama3Scanner(const char* end, int max_digits) : reader_(end), max_digits_(max_digits) {}

  const char* word_end(const char* begin) const {
    if (*begin == '\'') {
      const char* after = contraction_end(begin);
      if (after != nullptr) return after;
    }
    const char* const end = reader_.end();
    const auto first = reader_.read(begin);
    const char* const second = begin + first.size;
    if (first.type == kLetter) return reader_.run_end(second, kLetter);
    if (first.type == kNumber) return digits_end(second);
    // One character that is no letter, digit or line end is joined to the letters after it.
    if (!is_line_end(*begin) && second < end && reader_.read(second).type == kLetter)
      return reader_.run_end(second, kLetter);
    if (first.type == kOther) return others_end(second);
    if (*begin == ' ' && second < end && reader_.read(second).type == kOther)
      return others_end(second);
    const char* const last_line_end = last_line_end_of_spaces(begin);
    return last_line_end != nullptr ? last_line_end : reader_.spaces_end(begin);
  }

 private:
  // Skips the digits after the first one.
  const char* digits_end(const char* at) const {
    for (int count = 1; count < max_digits_ && at < reader_.end(); ++count) {
      const auto next = reader_.read(at);
      if (next.type != kNumber) break;
      at += next.size;
    }
    return at;
  }

  // Skips characters of the class kOther, then line ends.
  const char* others_end(const char* at) const {
    at = reader_.run_end(at, kOther);
    while (at < reader_.end() && is_line_end(*at)) ++at;
    return at;
  }

  // Returns the place after the last line end of the white space at `begin`, or nullptr.
  const char* last_line_end_of_spaces(const char* begin) const {
    const char* found = nullptr;
    const char* const spaces = reader_.run_end(begin, kSpace);
    for (const char* at = begin; at < spaces; ++at) {
      if (is_line_end(*at)) found = at + 1;
    }
    return found;
  }

  // As in GPT-2's pattern, but in upper or lower case; the long s (U+017F) counts as an s.
  const char* contraction_end(const char* begin) const {
    const auto available = reader_.end() - begin;
    const auto lower = [&](int i) {
      return i < available ? static_cast<char>(begin[i] | 0x20) : '\0';
    };
    if (available >= 3 && begin[1] == '\xC5' && begin[2] == '\xBF') return begin + 3;
    const int size = contraction_size(lower(1), lower(2));
    return size > 0 ? begin + size : nullptr;
  }

  CharacterReader reader_;
  int max_digits_;
};

template <class Scanner>
size_t scan(const Scanner& scanner, std::string_view text, size_t& position,
            std::span<std::string_view> words) {
  const char* at = text.data() + position;
  const char* const end = text.data() + text.size();
  size_t count = 0;
  for (; count < words.size() && at < end; ++count) {
    const char* const word_end = scanner.word_end(at);
    words[count] = {at, static_cast<size_t>(word_end - at)};
    at = word_end;
  }
  position = static_cast<size_t>(at - text.data());
  return count;
}

}  // namespace

size_t ByteLevelPreTokenizer::next_words(std::string_view text, size_t& position,
                                         std::span<std::string_view> words) const {
  return scan(Gpt2Scanner(text.data() + text.size()), text, position, words);
}

std::string ByteLevelPreTokenizer::to_json() const {
  return cat(R"({"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,)",
             R"("use_regex":true,"unicode_tables":")", kUnicodeTablesVersion, R"("})");
}

size_t SplitPreTokenizer::next_words(std::string_view text, size_t& position,
                                     std::span<std::string_view> words) const {
  return scan(Llama3Scanner(text.data() + text.size(), max_digits_), text, position, words);
}

std::string SplitPreTokenizer::to_json() const {
  const std::string pattern(max_digits_ == 3 ? kLlama3Pattern : kQwenPattern);
  return cat(R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":)",
             nlohmann::json(pattern).dump(),
             R"(},"behavior":"Isolated","invert":false},{"type":"ByteLevel",)",
             R"("add_prefix_space":false,"trim_offsets":true,"use_regex":false}]})");
}

namespace {

std::unique_ptr<PreTokenizer> parse_byte_level(JsonObject& object) {
  object.only("add_prefix_space", false);
  object.only("use_regex", true);
  object.boolean("trim_offsets", true);  // affects only offsets, which lmtrain does not return
  check_tables_version(object, kUnicodeTablesVersion);
  object.finish();
  return std::make_unique<ByteLevelPreTokenizer>();
}

// Parses a Sequence of a Split by a pattern and a ByteLevel without a pattern of its own, or of one
// part, which is that part.
std::unique_ptr<PreTokenizer> parse_sequence(JsonObject& object) {
  const nlohmann::json& parts = object.required("pretokenizers");
  if (parts.is_array() && parts.size() == 1) {
    object.finish();
    return parse_pre_tokenizer(parts[0], object.place() + ".pretokenizers[0]");
  }
  if (!parts.is_array() || parts.size() != 2)
    object.fail("pretokenizers", "only a Split and a ByteLevel are supported");
  object.finish();
  const std::string place = object.place() + ".pretokenizers";

  JsonObject split(parts[0], place + "[0]");
  if (split.text("type") != "Split") split.fail("type", "only 'Split' is supported here");
  JsonObject pattern(split.required("pattern"), place + "[0].pattern");
  const std::string regex = pattern.text("Regex");
  pattern.finish();
  if (split.text("behavior") != "Isolated") split.fail("behavior", "only 'Isolated' is supported");
  split.only("invert", false);
  split.finish();
  if (regex != kLlama3Pattern && regex != kQwenPattern) {
    throw DataError(cat(place, "[0].pattern: ", show_text(regex),
                        " is not a pattern that lmtrain has: those of Llama 3 and of Qwen"));
  }

  JsonObject bytes(parts[1], place + "[1]");
  if (bytes.text("type") != "ByteLevel") bytes.fail("type", "only 'ByteLevel' is supported here");
  bytes.only("add_prefix_space", false);
  if (bytes.boolean("use_regex", true)) bytes.fail("use_regex", "must be false after a Split");
  bytes.boolean("trim_offsets", true);
  bytes.finish();
  return std::make_unique<SplitPreTokenizer>(regex == kLlama3Pattern ? 3 : 1);
}

}  // namespace

std::unique_ptr<PreTokenizer> parse_pre_tokenizer(const nlohmann::json& value,
                                                  const std::string& place) {
  JsonObject object(value, place);
  const std::string type = object.text("type");
  if (type == "ByteLevel") return parse_byte_level(object);
  if (type == "Sequence") return parse_sequence(object);
  if (type == "BertPreTokenizer") return parse_bert_pre_tokenizer(object);
  throw DataError(cat(place, ": the type ", show_text(type), " is not supported; supported are",
                      " 'ByteLevel', 'BertPreTokenizer' and 'Sequence'"));
}

}  // namespace lmtrain
