// What BERT does to a text before it is split (Devlin et al. 2018).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/strict_json.h"
#include "data/tokenizer/bert_characters.h"
#include "data/tokenizer/normalizer.h"

namespace lmtrain {

struct BertNormalizerOptions {
  bool clean_text = true;                  // control characters go, white space becomes spaces
  bool handle_chinese_chars = true;        // spaces around each
  std::optional<bool> strip_accents = {};  // nothing: as lowercase
  bool lowercase = true;
  BertProfile profile = BertProfile::kHf;
};

// In this order: cleaning, spaces around Chinese characters, canonical decomposition without marks
// (Mn), lower case; Google's puts into lower case before it decomposes. A byte that is not UTF-8
// counts as U+FFFD, which cleaning leaves out.
class BertNormalizer : public Normalizer {
 public:
  explicit BertNormalizer(const BertNormalizerOptions& options);
  std::string_view normalize(std::string_view text, std::string& storage) const override;
  std::string to_json() const override;

 private:
  class Pass;

  BertNormalizerOptions options_;
  const BertCharacters& characters_;
  bool strips_accents_;
  uint8_t changing_ = 0;            // flags of the characters that do not stay as they are
  std::array<char, 128> ascii_;     // what each becomes
  std::array<uint8_t, 128> sizes_;  // 0: left out
};

// Of the type BertNormalizer.
std::unique_ptr<BertNormalizer> parse_bert_normalizer(JsonObject& object);

}  // namespace lmtrain
