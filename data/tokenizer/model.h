// The third stage of a tokenizer: how a word becomes token ids.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace lmtrain {

// Safe to use from many threads.
class TokenModel {
 public:
  virtual ~TokenModel() = default;
  // Appends the ids of one word of the pre-tokeniser. A word's ids depend on the word alone, so
  // callers may remember them.
  virtual void encode_word(std::string_view word, std::vector<int32_t>& ids) const = 0;
  // The tokens by id, as tokenizer.json writes them; empty where an id belongs to an added token.
  virtual const std::vector<std::string>& tokens() const = 0;
  // The component as tokenizer.json holds it.
  virtual std::string to_json() const = 0;
};

// The `vocab` of a model: tokens by id. `num_ids` is the number of tokens of the whole file, added
// ones included: an id must be below it and belong to one token.
std::vector<std::string> parse_vocabulary(const nlohmann::json& value, int64_t num_ids,
                                          const std::string& place);

// The same as tokenizer.json holds it, by id.
std::string vocabulary_json(const std::vector<std::string>& tokens);

// Throws DataError on a type or field that lmtrain does not have, on ids out of range or held by
// two tokens, and on what the model cannot work with; `place` opens the message.
std::unique_ptr<TokenModel> parse_model(const nlohmann::json& value, int64_t num_ids,
                                        const std::string& place);

}  // namespace lmtrain
