// The last stage of a tokenizer: how tokens become text again.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace lmtrain {

// Safe to use from many threads.
class TokenDecoder {
 public:
  virtual ~TokenDecoder() = default;
  // Returns the text that a token adds after other tokens.
  virtual std::string token_text(std::string_view token) const = 0;
  // Returns the text of a token at the beginning of a text.
  virtual std::string first_text(std::string_view token) const { return token_text(token); }
  // Whether a token continues the word of the token before it.
  virtual bool continues_word(std::string_view token) const = 0;
  // Returns the component as tokenizer.json stores it.
  virtual std::string to_json() const = 0;
};

// Decodes tokens in the byte alphabet. The text of a token may be a part of a UTF-8 character.
class ByteLevelDecoder : public TokenDecoder {
 public:
  std::string token_text(std::string_view token) const override;
  bool continues_word(std::string_view token) const override;
  std::string to_json() const override;
};

// Puts spaces between words; a token with the prefix continues a word. Cleaning up removes the
// spaces before marks (" ." becomes ".") and in contractions, in each token by itself.
class WordPieceDecoder : public TokenDecoder {
 public:
  WordPieceDecoder(std::string prefix, bool cleans_up)
      : prefix_(std::move(prefix)), cleans_up_(cleans_up) {}
  std::string token_text(std::string_view token) const override;
  std::string first_text(std::string_view token) const override;
  bool continues_word(std::string_view token) const override;
  std::string to_json() const override;

 private:
  std::string prefix_;
  bool cleans_up_;
};

// Throws DataError on a component, type or field that lmtrain does not have.
std::unique_ptr<TokenDecoder> parse_decoder(const nlohmann::json& value, const std::string& place);

}  // namespace lmtrain
