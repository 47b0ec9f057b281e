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
  // The component as tokenizer.json holds it.
  virtual std::string to_json() const = 0;
};

// Tokens written in the byte alphabet; the text of one may be a part of a UTF-8 character.
class ByteLevelDecoder : public TokenDecoder {
 public:
  std::string token_text(std::string_view token) const override;
  std::string to_json() const override;
};

// Throws DataError on a component, type or field that lmtrain does not have.
std::unique_ptr<TokenDecoder> parse_decoder(const nlohmann::json& value, const std::string& place);

}  // namespace lmtrain
