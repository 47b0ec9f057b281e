// The first stage of a tokenizer: what is done to a text before it is split.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace lmtrain {

// Safe to use from many threads.
class Normalizer {
 public:
  virtual ~Normalizer() = default;
  // The normalised text: a view of `text` itself, or of `storage` when something had to change.
  virtual std::string_view normalize(std::string_view text, std::string& storage) const = 0;
  // The component as tokenizer.json holds it.
  virtual std::string to_json() const = 0;
};

// The text as it is, `null` in tokenizer.json.
class IdentityNormalizer : public Normalizer {
 public:
  std::string_view normalize(std::string_view text, std::string&) const override { return text; }
  std::string to_json() const override { return "null"; }
};

// Throws DataError on a component that lmtrain does not have; `place` opens the message.
std::unique_ptr<Normalizer> parse_normalizer(const nlohmann::json& value, const std::string& place);

}  // namespace lmtrain
