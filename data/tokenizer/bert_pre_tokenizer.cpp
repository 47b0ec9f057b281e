#include "data/tokenizer/bert_pre_tokenizer.h"

#include "base/text.h"
#include "data/tokenizer/utf8_character.h"

namespace lmtrain {

namespace {

using Flag = BertCharacters::Flag;
constexpr uint8_t kLetter = 0;
constexpr uint8_t kNotAscii = 1;  // a byte of a longer character, whose class must be looked up

}  // namespace

class BertPreTokenizer::Scanner {
 public:
  Scanner(const BertPreTokenizer& owner, const char* end) : owner_(owner), end_(end) {}

  const char* skip_whitespace(const char* at) const {
    for (uint32_t size = 0; at < end_ && read(at, size) == Flag::kWhitespace;) at += size;
    return at;
  }

  // Returns the end of the word at `at`, where there is no white space.
  const char* word_end(const char* at) const {
    uint32_t size = 0;
    if (read(at, size) == Flag::kPunctuation) return at + size;
    do {
      at += size;
    } while (at < end_ && read(at, size) == kLetter);
    return at;
  }

 private:
  // Returns kLetter, kWhitespace or kPunctuation.
  uint8_t read(const char* at, uint32_t& size) const {
    size = 1;
    const uint8_t byte_class = owner_.byte_classes_[static_cast<uint8_t>(*at)];
    if (byte_class != kNotAscii) return byte_class;
    const Utf8Character character = read_utf8(at, end_);
    size = character.size;
    if (character.code_point == Utf8Character::kInvalid) return kLetter;
    return class_of(owner_.characters_.flags(character.code_point));
  }

  friend BertPreTokenizer;
  static uint8_t class_of(uint8_t flags) {
    return flags & (Flag::kWhitespace | Flag::kPunctuation);
  }

  const BertPreTokenizer& owner_;
  const char* end_;
};

BertPreTokenizer::BertPreTokenizer(BertProfile profile)
    : profile_(profile), characters_(BertCharacters::of(profile)) {
  byte_classes_.fill(kNotAscii);
  for (uint32_t c = 0; c < 128; ++c) byte_classes_[c] = Scanner::class_of(characters_.flags(c));
}

size_t BertPreTokenizer::next_words(std::string_view text, size_t& position,
                                    std::span<std::string_view> words) const {
  const char* const end = text.data() + text.size();
  const Scanner scanner(*this, end);
  const char* at = scanner.skip_whitespace(text.data() + position);
  size_t count = 0;
  while (count < words.size() && at < end) {
    const char* const word_end = scanner.word_end(at);
    words[count++] = {at, static_cast<size_t>(word_end - at)};
    at = scanner.skip_whitespace(word_end);
  }
  position = static_cast<size_t>(at - text.data());
  return count;
}

std::string BertPreTokenizer::to_json() const {
  return cat(R"({"type":"BertPreTokenizer")", bert_profile_json(profile_), "}");
}

std::unique_ptr<BertPreTokenizer> parse_bert_pre_tokenizer(JsonObject& object) {
  const BertProfile profile = parse_bert_profile(object);
  object.finish();
  return std::make_unique<BertPreTokenizer>(profile);
}

}  // namespace lmtrain
