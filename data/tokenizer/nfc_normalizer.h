// Canonical composition (Unicode Normalization Form C), which Qwen's tokenizers begin with.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/strict_json.h"
#include "data/tokenizer/normalizer.h"

namespace lmtrain {

// Gives the same results as the tokenizers package. Bytes that are not UTF-8 stay. Text that is
// already in the form, as nearly all text is, is only scanned and not copied.
class NfcNormalizer : public Normalizer {
 public:
  std::string_view normalize(std::string_view text, std::string& storage) const override;
  std::string to_json() const override;
};

// Parses a component of the type NFC.
std::unique_ptr<NfcNormalizer> parse_nfc_normalizer(JsonObject& object);

}  // namespace lmtrain
