#include "data/tokenizer/normalizer.h"

#include "base/error.h"
#include "base/strict_json.h"
#include "base/text.h"

namespace lmtrain {

std::unique_ptr<Normalizer> parse_normalizer(const nlohmann::json& value,
                                             const std::string& place) {
  if (value.is_null()) return std::make_unique<IdentityNormalizer>();
  JsonObject object(value, place);
  throw DataError(cat(place, ": the type ", show_text(object.text("type")),
                      " is not supported; supported is null (no normaliser)"));
}

}  // namespace lmtrain
