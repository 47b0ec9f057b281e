// Canonical composition (Unicode Normalization Form C), which Qwen's tokenizers begin with.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/strict_json.h"
#include "data/tokenizer/normalizer.h"

namespace lmtrain {

// As the tokenizers package does it. Bytes that are not UTF-8 stay. Text that is in the form
// already, as nearly all is, costs a look at its bytes.
class NfcNormalizer : public Normalizer {
 public:
  std::string_view normalize(std::string_view text, std::string& storage) const override;
  std::string to_json() const override;
};

// Of the type NFC.
std::unique_ptr<NfcNormalizer> parse_nfc_normalizer(JsonObject& object);

}  // namespace lmtrain
