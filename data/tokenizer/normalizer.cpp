#include "data/tokenizer/normalizer.h"

#include <utility>
#include <vector>

#include "base/error.h"
#include "base/strict_json.h"
#include "base/text.h"
#include "data/tokenizer/bert_normalizer.h"
#include "data/tokenizer/nfc_normalizer.h"

namespace lmtrain {

namespace {

// Applies several normalisers one after another.
class NormalizerSequence : public Normalizer {
 public:
  explicit NormalizerSequence(std::vector<std::unique_ptr<Normalizer>> parts)
      : parts_(std::move(parts)) {}

  std::string_view normalize(std::string_view text, std::string& storage) const override {
    std::string other;
    for (const auto& part : parts_) {
      const std::string_view normal = part->normalize(text, other);
      if (normal.data() != other.data()) continue;  // this normaliser changed nothing
      storage.swap(other);
      text = storage;
    }
    return text;
  }

  std::string to_json() const override {
    std::vector<std::string> parts;
    for (const auto& part : parts_) parts.push_back(part->to_json());
    return cat(R"({"type":"Sequence","normalizers":[)", join(parts, ","), "]}");
  }

 private:
  std::vector<std::unique_ptr<Normalizer>> parts_;
};

std::unique_ptr<Normalizer> parse_sequence(JsonObject& object) {
  const nlohmann::json& list = object.required("normalizers");
  object.finish();
  if (!list.is_array()) object.fail("normalizers", "must be a list");
  std::vector<std::unique_ptr<Normalizer>> parts;
  for (const auto& part : list) {
    const std::string place = cat(object.place(), ".normalizers[", parts.size(), "]");
    const JsonObject is_an_object(part, place);  // null is not allowed as a part
    parts.push_back(parse_normalizer(part, place));
  }
  return std::make_unique<NormalizerSequence>(std::move(parts));
}

}  // namespace

std::unique_ptr<Normalizer> parse_normalizer(const nlohmann::json& value,
                                             const std::string& place) {
  if (value.is_null()) return std::make_unique<IdentityNormalizer>();
  JsonObject object(value, place);
  const std::string type = object.text("type");
  if (type == "BertNormalizer") return parse_bert_normalizer(object);
  if (type == "NFC") return parse_nfc_normalizer(object);
  if (type == "Sequence") return parse_sequence(object);
  throw DataError(cat(place, ": the type ", show_text(type),
                      " is not supported; supported are null (no normaliser),",
                      " 'BertNormalizer', 'NFC' and 'Sequence'"));
}

}  // namespace lmtrain
