// The first stage of a tokenizer: it normalises a text before the text is split.
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
  // Returns the normalised text: a view of `text` itself or of `storage`.
  virtual std::string_view normalize(std::string_view text, std::string& storage) const = 0;
  // Returns the component as tokenizer.json stores it.
  virtual std::string to_json() const = 0;
};

// Leaves the text as it is; `null` in tokenizer.json.
class IdentityNormalizer : public Normalizer {
 public:
  std::string_view normalize(std::string_view text, std::string&) const override { return text; }
  std::string to_json() const override { return "null"; }
};

// Throws DataError for a component that lmtrain does not have. The message begins with `place`.
std::unique_ptr<Normalizer> parse_normalizer(const nlohmann::json& value, const std::string& place);

}  // namespace lmtrain
