#include "data/tokenizer/normalizer.h"

#include "base/error.h"
#include "base/strict_json.h"
#include "base/text.h"
#include "data/tokenizer/bert_normalizer.h"

namespace lmtrain {

std::unique_ptr<Normalizer> parse_normalizer(const nlohmann::json& value,
                                             const std::string& place) {
  if (value.is_null()) return std::make_unique<IdentityNormalizer>();
  JsonObject object(value, place);
  const std::string type = object.text("type");
  if (type == "BertNormalizer") return parse_bert_normalizer(object);
  throw DataError(cat(place, ": the type ", show_text(type),
                      " is not supported; supported are null (no normaliser) and",
                      " 'BertNormalizer'"));
}

}  // namespace lmtrain
