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
  // Returns the tokens by id, as tokenizer.json writes them; "" for ids of added tokens.
  virtual const std::vector<std::string>& tokens() const = 0;
  // Returns the component as tokenizer.json stores it.
  virtual std::string to_json() const = 0;
};

// Parses the `vocab` of a model into tokens by id. `num_ids` is the number of tokens of the whole
// file, added tokens included. Each id must be below it and belong to one token only.
std::vector<std::string> parse_vocabulary(const nlohmann::json& value, int64_t num_ids,
                                          const std::string& place);

// Writes the vocabulary as tokenizer.json stores it, in the order of ids.
std::string vocabulary_json(const std::vector<std::string>& tokens);

// Throws DataError for a type or field that lmtrain does not have, for ids that are out of range or
// belong to two tokens, and for data that the model cannot use. The message begins with `place`.
std::unique_ptr<TokenModel> parse_model(const nlohmann::json& value, int64_t num_ids,
                                        const std::string& place);

}  // namespace lmtrain
