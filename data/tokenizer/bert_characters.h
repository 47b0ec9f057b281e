// The characters of a text as the tokenizers of BERT see them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/strict_json.h"
#include "data/tokenizer/bert_tables.h"

namespace lmtrain {

// Whose tokenizer is followed where the two differ: the tokenizers package's, or that of Google's
// own BERT (Devlin et al. 2018).
enum class BertProfile { kHf, kGoogle };

// Its lower-case form is two characters: "i" and U+0307.
inline constexpr uint32_t kDottedI = 0x130;

class BertCharacters {
 public:
  enum Flag : uint8_t {
    kDeleted = 1,
    kSpace = 2,
    kCjk = 4,
    kMark = 8,
    kComposed = 16,  // decomposes, or is put in order among its neighbours
    kUpper = 32,     // has another lower-case form
    kWhitespace = 64,
    kPunctuation = 128,
  };

  // Made at the first call; then always the same.
  static const BertCharacters& of(BertProfile profile);

  explicit BertCharacters(const BertTables& tables);

  const BertTables& tables() const { return tables_; }
  // Of a code point below 0x110000.
  uint8_t flags(uint32_t code_point) const { return flags_[code_point]; }
  // For all but kDottedI.
  uint32_t lower(uint32_t code_point) const;

 private:
  const BertTables& tables_;
  std::unique_ptr<uint8_t[]> flags_;
};

// The field "profile" of a component, absent for kHf, and the version of the tables; DataError when
// they are others than this program's.
BertProfile parse_bert_profile(JsonObject& object);
// The same fields, each with a comma before.
std::string bert_profile_json(BertProfile profile);

}  // namespace lmtrain
