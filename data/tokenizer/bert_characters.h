// Properties of characters in BERT's tokenizers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/strict_json.h"
#include "data/tokenizer/bert_tables.h"

namespace lmtrain {

// Which implementation is followed where the two differ: the tokenizers package (kHf), or Google's
// own BERT (kGoogle; Devlin et al. 2018).
enum class BertProfile { kHf, kGoogle };

// U+0130, a capital I with a dot. Its lower-case form is two characters: "i" and U+0307.
inline constexpr uint32_t kDottedI = 0x130;

class BertCharacters {
 public:
  enum Flag : uint8_t {
    kDeleted = 1,
    kSpace = 2,
    kCjk = 4,
    kMark = 8,
    kComposed = 16,  // decomposes, or is reordered among its neighbours
    kUpper = 32,     // its lower-case form differs from itself
    kWhitespace = 64,
    kPunctuation = 128,
  };

  // Returns the characters of a profile, which are made at the first call.
  static const BertCharacters& of(BertProfile profile);

  explicit BertCharacters(const BertTables& tables);

  const BertTables& tables() const { return tables_; }
  // Returns the flags of a code point below 0x110000.
  uint8_t flags(uint32_t code_point) const { return flags_[code_point]; }
  // Returns the lower-case form of any code point except kDottedI.
  uint32_t lower(uint32_t code_point) const;

 private:
  const BertTables& tables_;
  std::unique_ptr<uint8_t[]> flags_;
};

// Reads a component's field "profile" (absent for kHf) and the version of its tables. Throws
// DataError when this program does not have that profile or that version.
BertProfile parse_bert_profile(JsonObject& object);
// Writes the same fields, each preceded by a comma.
std::string bert_profile_json(BertProfile profile);

}  // namespace lmtrain
