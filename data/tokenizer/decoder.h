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
  // The text that a token adds where others stand before it.
  virtual std::string token_text(std::string_view token) const = 0;
  // The text of a token with which a text begins.
  virtual std::string first_text(std::string_view token) const { return token_text(token); }
  // Whether a token goes on with the word of the token before it.
  virtual bool continues_word(std::string_view token) const = 0;
  // The component as tokenizer.json holds it.
  virtual std::string to_json() const = 0;
};

// Tokens written in the byte alphabet; the text of one may be a part of a UTF-8 character.
class ByteLevelDecoder : public TokenDecoder {
 public:
  std::string token_text(std::string_view token) const override;
  bool continues_word(std::string_view token) const override;
  std::string to_json() const override;
};

// Words with spaces between; a token with the prefix continues one. Cleaning up takes away, in each
// token by itself, spaces before marks (" ." is ".") and in contractions.
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
