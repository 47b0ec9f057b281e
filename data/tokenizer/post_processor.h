// Which special tokens stand around one text, or around and between two.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace lmtrain {

struct AddedToken;  // added_tokens.h

// What tokenizer.json calls a TemplateProcessing. Callers of encode() apply it.
struct PostProcessor {
  struct Piece {
    enum class Kind { kToken, kFirstText, kSecondText } kind = Kind::kToken;
    int32_t token = -1;  // of a kToken
    int32_t type_id = 0;
  };
  std::vector<Piece> single;  // empty: nothing is added
  std::vector<Piece> pair;
};

// Those of BERT: [CLS] first [SEP], and [CLS] first [SEP] second [SEP].
PostProcessor bert_post_processor(int32_t class_token, int32_t separator_token);

// A TemplateProcessing, a BertProcessing or RobertaProcessing, which are templates too, a
// ByteLevel, which adds nothing, or a Sequence with at most one template. Throws DataError on
// anything else and on tokens that are none of the special ones.
PostProcessor parse_post_processor(const nlohmann::json& value,
                                   const std::vector<AddedToken>& added_tokens,
                                   const std::string& place);

// As a TemplateProcessing, or null.
std::string post_processor_json(const PostProcessor& post_processor,
                                const std::vector<AddedToken>& added_tokens);

}  // namespace lmtrain
