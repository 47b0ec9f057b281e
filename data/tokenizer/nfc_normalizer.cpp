#include "data/tokenizer/nfc_normalizer.h"

#include <algorithm>
#include <bitset>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "base/text.h"
#include "data/tokenizer/canonical_tables.h"
#include "data/tokenizer/tables_version.h"
#include "data/tokenizer/unicode_tables.h"
#include "data/tokenizer/utf8_character.h"

namespace lmtrain {

namespace {

class Composer {
 public:
  static const Composer& instance() {
    static const Composer composer;
    return composer;
  }

  // Whether a character may change or may change its neighbours. Any other character begins a part
  // of the text that can be normalised by itself.
  bool is_active(uint32_t code_point) const { return active_[code_point]; }

  // Normalises characters in place.
  void compose(std::vector<uint32_t>& characters) const {
    std::vector<Element> elements;
    for (const uint32_t character : characters) {
      const CanonicalCharacters parts = decompose(tables_, character);
      for (uint32_t i = 0; i < parts.size; ++i) {
        const uint32_t c = parts.code_points[i];
        elements.push_back({c, active_[c] ? combining_class(tables_, c) : uint8_t{0}});
      }
    }
    sort_marks(elements);
    characters.clear();
    for (const uint32_t c : composed(elements)) characters.push_back(c);
  }

 private:
  struct Element {
    uint32_t code_point;
    uint8_t combining_class;
  };

  Composer() {
    for (const auto& single : tables_.singles) active_.set(single.from);
    for (const auto& pair : tables_.pairs) {
      if (holds(tables_.exclusions, pair.from)) {
        active_.set(pair.from);
      } else {
        active_.set(pair.second);
        pairs_.emplace(key(pair.first, pair.second), pair.from);
      }
    }
    for (const auto& run : tables_.combining_classes) set_active({run.first, run.last});
    set_active(kHangulVowels);
    set_active(kHangulTails);
  }

  void set_active(const CodePointRange& range) {
    for (uint32_t c = range.first; c <= range.last; ++c) active_.set(c);
  }

  static void sort_marks(std::vector<Element>& elements) {
    const auto is_starter = [](const Element& element) { return element.combining_class == 0; };
    for (auto begin = elements.begin(); begin != elements.end();) {
      const auto end = std::find_if(begin, elements.end(), is_starter);
      std::ranges::stable_sort(begin, end, {}, &Element::combining_class);
      begin = std::find_if_not(end, elements.end(), is_starter);
    }
  }

  std::vector<uint32_t> composed(const std::vector<Element>& elements) const {
    std::vector<uint32_t> result;
    size_t starter = 0;  // index after the last starter; 0: there is none yet
    uint8_t last_class = 0;
    for (const auto [code_point, combining_class] : elements) {
      const bool adjacent = result.size() == starter;
      if (starter > 0 && (adjacent || last_class < combining_class)) {
        const uint32_t whole = pair(result[starter - 1], code_point);
        if (whole != 0) {
          result[starter - 1] = whole;
          continue;
        }
      }
      result.push_back(code_point);
      last_class = combining_class;
      if (combining_class == 0) starter = result.size();
    }
    return result;
  }

  static uint64_t key(uint32_t first, uint32_t second) { return uint64_t{first} << 32 | second; }

  // Returns the composition of two characters, or 0.
  uint32_t pair(uint32_t first, uint32_t second) const {
    const uint32_t syllable = compose_hangul(first, second);
    if (syllable != 0) return syllable;
    const auto found = pairs_.find(key(first, second));
    return found == pairs_.end() ? 0 : found->second;
  }

  const CanonicalTables& tables_ = kHfCanonicalTables;
  std::bitset<kNumCodePoints> active_;
  std::unordered_map<uint64_t, uint32_t> pairs_;
};

// The normalisation of one text. The finished part is in the output.
class NfcPass {
 public:
  explicit NfcPass(std::string_view text) : at_(text.data()), end_(at_ + text.size()) {}

  // Moves to the next active character or the end. `before` is set to the beginning of the
  // character before it, if the active one could change that.
  void seek(const char*& before) {
    before = at_;
    while (at_ < end_) {
      const char* const run_end = ascii_end(at_, end_);
      if (run_end > at_) before = run_end - 1;
      at_ = run_end;
      if (at_ == end_) return;
      const Utf8Character character = read_utf8(at_, end_);
      const bool valid = character.code_point != Utf8Character::kInvalid;
      if (valid && composer_.is_active(character.code_point)) return;
      before = valid ? at_ : at_ + character.size;
      at_ += character.size;
    }
  }

  bool at_end() const { return at_ == end_; }
  const char* position() const { return at_; }

  // Appends the normal form of the text from `begin` to the next character that is not active.
  void compose_from(const char* begin, std::string& output) {
    std::vector<uint32_t> characters;
    for (at_ = begin; at_ < end_;) {
      const Utf8Character character = read_utf8(at_, end_);
      const bool ends = character.code_point == Utf8Character::kInvalid ||
                        !composer_.is_active(character.code_point);
      if (ends && at_ > begin) break;
      characters.push_back(character.code_point);
      at_ += character.size;
    }
    composer_.compose(characters);
    for (const uint32_t c : characters) append_utf8(c, output);
  }

 private:
  const Composer& composer_ = Composer::instance();
  const char* at_;
  const char* end_;
};

}  // namespace

std::string_view NfcNormalizer::normalize(std::string_view text, std::string& storage) const {
  NfcPass pass(text);
  const char* before = nullptr;
  pass.seek(before);
  if (pass.at_end()) return text;
  storage.clear();
  for (const char* done = text.data(); true; pass.seek(before)) {
    if (pass.at_end()) {
      storage.append(done, pass.position());
      return storage;
    }
    storage.append(done, before);
    pass.compose_from(before, storage);
    done = pass.position();
  }
}

std::string NfcNormalizer::to_json() const {
  return cat(R"({"type":"NFC","unicode_tables":")", kUnicodeTablesVersion, R"("})");
}

std::unique_ptr<NfcNormalizer> parse_nfc_normalizer(JsonObject& object) {
  check_tables_version(object, kUnicodeTablesVersion);
  object.finish();
  return std::make_unique<NfcNormalizer>();
}

}  // namespace lmtrain
