// Which special tokens are put around one text, or around and between two texts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace lmtrain {

struct AddedToken;  // added_tokens.h

// A template, called TemplateProcessing in tokenizer.json. encode() does not apply
// it; its callers do.
struct PostProcessor {
  struct Piece {
    enum class Kind { kToken, kFirstText, kSecondText } kind = Kind::kToken;
    int32_t token = -1;  // the id when the kind is kToken
    int32_t type_id = 0;
  };
  std::vector<Piece> single;  // empty: nothing is added
  std::vector<Piece> pair;
};

// Returns BERT's templates: [CLS] first [SEP], and [CLS] first [SEP] second [SEP].
PostProcessor bert_post_processor(int32_t class_token, int32_t separator_token);

// Accepts a TemplateProcessing, a BertProcessing or RobertaProcessing (which are templates too), a
// ByteLevel (which adds nothing), or a Sequence with at most one template. Throws DataError for
// anything else and for tokens that are not special tokens.
PostProcessor parse_post_processor(const nlohmann::json& value,
                                   const std::vector<AddedToken>& added_tokens,
                                   const std::string& place);

// Writes a TemplateProcessing, or null when nothing is added.
std::string post_processor_json(const PostProcessor& post_processor,
                                const std::vector<AddedToken>& added_tokens);

}  // namespace lmtrain
