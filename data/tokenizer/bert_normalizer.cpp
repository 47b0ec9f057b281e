#include "data/tokenizer/bert_normalizer.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "base/text.h"
#include "data/tokenizer/utf8_character.h"

namespace lmtrain {

namespace {

using Flag = BertCharacters::Flag;

constexpr uint32_t kReplacement = 0xFFFD;
constexpr uint32_t kDotAbove = 0x307;
constexpr uint32_t kCapitalSigma = 0x3A3;
constexpr uint32_t kFinalSigma = 0x3C2;

Utf8Character read_or_replace(const char* at, const char* end) {
  const Utf8Character character = read_utf8(at, end);
  if (character.code_point == Utf8Character::kInvalid) return {kReplacement, character.size};
  return character;
}

// Decides whether a capital sigma is the last letter of a word, as Python's str.lower() does: a
// cased letter comes before it and none after it, not counting case-ignorable characters.
class FinalSigma {
 public:
  FinalSigma(std::string_view text, const BertCharacters& characters, bool clean)
      : text_(text), characters_(characters), clean_(clean) {}

  // `at` is where the sigma stands.
  bool at(const char* at, uint32_t size) const {
    const char* begin = text_.data();
    const char* end = begin + text_.size();
    bool after_cased = false;
    for (const char* before = at; before > begin && !after_cased;) {
      before = previous(before);
      const uint32_t code_point = read_or_replace(before, end).code_point;
      if (ignores(code_point)) continue;
      if (!holds(characters_.tables().cased, code_point)) return false;
      after_cased = true;
    }
    if (!after_cased) return false;
    for (const char* next = at + size; next < end;) {
      const Utf8Character character = read_or_replace(next, end);
      if (!ignores(character.code_point))
        return !holds(characters_.tables().cased, character.code_point);
      next += character.size;
    }
    return true;
  }

 private:
  bool ignores(uint32_t code_point) const {
    return (clean_ && (characters_.flags(code_point) & Flag::kDeleted) != 0) ||
           holds(characters_.tables().case_ignorable, code_point);
  }

  const char* previous(const char* at) const {
    const auto available = std::min<ptrdiff_t>(4, at - text_.data());
    for (ptrdiff_t size = 2; size <= available; ++size) {
      const Utf8Character character = read_utf8(at - size, at);
      if (character.size == size) return at - size;
    }
    return at - 1;
  }

  std::string_view text_;
  const BertCharacters& characters_;
  bool clean_;
};

// Decomposes characters, leaves marks out and appends the rest.
class AccentStripper {
 public:
  AccentStripper(const BertCharacters& characters, bool lowers_after, std::string& output)
      : characters_(characters), lowers_after_(lowers_after), output_(output) {}

  void take(uint32_t code_point) {
    if ((characters_.flags(code_point) & Flag::kComposed) == 0) return take_part(code_point);
    const CanonicalCharacters parts = decompose(characters_.tables().canonical, code_point);
    for (uint32_t i = 0; i < parts.size; ++i) take_part(parts.code_points[i]);
  }

  // Whether characters are buffered because later ones may be sorted before them.
  bool waits() const { return !waiting_.empty(); }
  // Is called before a character that no mark may be moved across, and at the end.
  void flush() {
    if (waiting_.empty()) return;
    std::ranges::stable_sort(waiting_, {}, &Waiting::combining_class);
    for (const Waiting& mark : waiting_) append(mark.code_point);
    waiting_.clear();
  }

 private:
  struct Waiting {
    uint8_t combining_class;
    uint32_t code_point;
  };

  void take_part(uint32_t code_point) {
    const uint8_t flags = characters_.flags(code_point);
    const uint8_t order = (flags & Flag::kComposed) == 0
                              ? uint8_t{0}
                              : combining_class(characters_.tables().canonical, code_point);
    if (order == 0) flush();  // even if this one is left out
    if ((flags & Flag::kMark) != 0) return;
    if (order == 0) {
      append(code_point);
    } else {
      waiting_.push_back({order, code_point});
    }
  }

  void append(uint32_t code_point) {
    append_utf8(lowers_after_ ? characters_.lower(code_point) : code_point, output_);
  }

  const BertCharacters& characters_;
  bool lowers_after_;
  std::string& output_;
  std::vector<Waiting> waiting_;
};

}  // namespace

// The normalisation of one text.
class BertNormalizer::Pass {
 public:
  Pass(const BertNormalizer& normalizer, std::string_view text, std::string& output)
      : normalizer_(normalizer),
        characters_(normalizer.characters_),
        is_google_(normalizer.options_.profile == BertProfile::kGoogle),
        lowers_first_(is_google_ || !normalizer.strips_accents_),
        at_(text.data()),
        end_(text.data() + text.size()),
        final_sigma_(text, characters_, normalizer.options_.clean_text),
        output_(output),
        stripper_(characters_, normalizer.options_.lowercase && !is_google_, output) {}

  void run() {
    while (at_ < end_) {
      const char* const run_end = ascii_end(at_, end_);
      if (run_end > at_) take_ascii(run_end);
      if (at_ == end_) break;
      const auto [code_point, size] = read_or_replace(at_, end_);
      take(code_point, size);
      at_ += size;
    }
    stripper_.flush();
  }

 private:
  void take_ascii(const char* run_end) {
    if (stripper_.waits()) {
      while (at_ < run_end && normalizer_.sizes_[static_cast<uint8_t>(*at_)] == 0) ++at_;
      if (at_ == run_end) return;
      stripper_.flush();
    }
    size_t size = output_.size();
    output_.append(at_, run_end);
    char* const output = output_.data();
    for (; at_ < run_end; ++at_) {
      const auto byte = static_cast<uint8_t>(*at_);
      output[size] = normalizer_.ascii_[byte];
      size += normalizer_.sizes_[byte];
    }
    output_.resize(size);
  }

  void take(uint32_t code_point, uint32_t size) {
    const uint8_t flags = characters_.flags(code_point) & normalizer_.changing_;
    if ((flags & Flag::kDeleted) != 0) return;
    if ((flags & Flag::kSpace) != 0) return append(' ');
    if (flags == 0) return append(code_point);
    if ((flags & Flag::kCjk) != 0) append(' ');
    if ((flags & Flag::kUpper) != 0 && lowers_first_) {
      lower(code_point, size);
    } else {
      strip(code_point);
    }
    if ((flags & Flag::kCjk) != 0) append(' ');
  }

  void lower(uint32_t code_point, uint32_t size) {
    if (code_point == kDottedI) {
      strip('i');
      strip(kDotAbove);
    } else if (is_google_ && code_point == kCapitalSigma && final_sigma_.at(at_, size)) {
      strip(kFinalSigma);
    } else {
      strip(characters_.lower(code_point));
    }
  }

  void strip(uint32_t code_point) {
    if (normalizer_.strips_accents_) {
      stripper_.take(code_point);
    } else {
      append_utf8(code_point, output_);
    }
  }

  void append(uint32_t code_point) {
    stripper_.flush();
    append_utf8(code_point, output_);
  }

  const BertNormalizer& normalizer_;
  const BertCharacters& characters_;
  bool is_google_;
  bool lowers_first_;
  const char* at_;
  const char* end_;
  FinalSigma final_sigma_;
  std::string& output_;
  AccentStripper stripper_;
};

BertNormalizer::BertNormalizer(const BertNormalizerOptions& options)
    : options_(options),
      characters_(BertCharacters::of(options.profile)),
      strips_accents_(options.strip_accents.value_or(options.lowercase)) {
  if (options.clean_text) changing_ |= Flag::kDeleted | Flag::kSpace;
  if (options.handle_chinese_chars) changing_ |= Flag::kCjk;
  if (strips_accents_) changing_ |= Flag::kMark | Flag::kComposed;
  if (options.lowercase) changing_ |= Flag::kUpper;
  for (uint32_t c = 0; c < ascii_.size(); ++c) {
    const uint8_t flags = characters_.flags(c) & changing_;
    uint32_t becomes = c;
    if ((flags & Flag::kUpper) != 0) becomes = characters_.lower(c);
    if ((flags & Flag::kSpace) != 0) becomes = ' ';
    ascii_[c] = static_cast<char>(becomes);
    sizes_[c] = (flags & Flag::kDeleted) == 0;
  }
}

std::string_view BertNormalizer::normalize(std::string_view text, std::string& storage) const {
  storage.clear();
  storage.reserve(text.size() + text.size() / 8);
  Pass(*this, text, storage).run();
  return storage;
}

std::string BertNormalizer::to_json() const {
  const auto flag = [](bool value) { return value ? "true" : "false"; };
  return cat(
      R"({"type":"BertNormalizer","clean_text":)", flag(options_.clean_text),
      R"(,"handle_chinese_chars":)", flag(options_.handle_chinese_chars), R"(,"strip_accents":)",
      options_.strip_accents.has_value() ? flag(*options_.strip_accents) : "null",
      R"(,"lowercase":)", flag(options_.lowercase), bert_profile_json(options_.profile), "}");
}

std::unique_ptr<BertNormalizer> parse_bert_normalizer(JsonObject& object) {
  BertNormalizerOptions options;
  options.clean_text = object.boolean("clean_text", true);
  options.handle_chinese_chars = object.boolean("handle_chinese_chars", true);
  const nlohmann::json* strip_accents = object.find("strip_accents");
  if (strip_accents != nullptr && !strip_accents->is_null())
    options.strip_accents = object.boolean("strip_accents", true);
  options.lowercase = object.boolean("lowercase", true);
  options.profile = parse_bert_profile(object);
  object.finish();
  return std::make_unique<BertNormalizer>(options);
}

}  // namespace lmtrain
