// BERT's split: white space separates words, and each punctuation mark is a word of its own.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "base/strict_json.h"
#include "data/tokenizer/bert_characters.h"
#include "data/tokenizer/pre_tokenizer.h"

namespace lmtrain {

// A byte that is not UTF-8 counts as a letter.
class BertPreTokenizer : public PreTokenizer {
 public:
  explicit BertPreTokenizer(BertProfile profile = BertProfile::kHf);
  size_t next_words(std::string_view text, size_t& position,
                    std::span<std::string_view> words) const override;
  std::string to_json() const override;

 private:
  class Scanner;

  BertProfile profile_;
  const BertCharacters& characters_;
  std::array<uint8_t, 256> byte_classes_;
};

// Parses a component of the type BertPreTokenizer.
std::unique_ptr<BertPreTokenizer> parse_bert_pre_tokenizer(JsonObject& object);

}  // namespace lmtrain
