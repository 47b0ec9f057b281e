// BERT's normalisation of a text before it is split into words (Devlin et al. 2018).
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
  bool clean_text = true;                  // removes control characters, white space becomes spaces
  bool handle_chinese_chars = true;        // puts spaces around each Chinese character
  std::optional<bool> strip_accents = {};  // not set: the same as lowercase
  bool lowercase = true;
  BertProfile profile = BertProfile::kHf;
};

// The steps are, in this order: cleaning, spaces around Chinese characters, canonical decomposition
// and removal of marks (Mn), lower case. With kGoogle, lower case comes before the decomposition. A
// byte that is not UTF-8 counts as U+FFFD, which cleaning removes.
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
  uint8_t changing_ = 0;            // flags of the characters that normalisation may change
  std::array<char, 128> ascii_;     // what each ASCII character becomes
  std::array<uint8_t, 128> sizes_;  // its size in bytes; 0: it is removed
};

// Parses a component of the type BertNormalizer.
std::unique_ptr<BertNormalizer> parse_bert_normalizer(JsonObject& object);

}  // namespace lmtrain
