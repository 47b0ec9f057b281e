#include "data/tokenizer/decoder.h"

#include "base/error.h"
#include "base/strict_json.h"
#include "base/text.h"
#include "data/tokenizer/byte_alphabet.h"

namespace lmtrain {

std::string ByteLevelDecoder::token_text(std::string_view token) const {
  return read_byte_alphabet(token);
}

std::string ByteLevelDecoder::to_json() const {
  return R"({"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true})";
}

std::unique_ptr<TokenDecoder> parse_decoder(const nlohmann::json& value, const std::string& place) {
  JsonObject object(value, place);
  const std::string type = object.text("type");
  if (type != "ByteLevel") {
    throw DataError(cat(place, ": the type ", show_text(type), " is not supported; supported is",
                        " 'ByteLevel'"));
  }
  // One list of fields serves three components of the format; decoding uses none of them.
  for (const char* key : {"add_prefix_space", "trim_offsets", "use_regex"}) {
    object.boolean(key, true);
  }
  object.finish();
  return std::make_unique<ByteLevelDecoder>();
}

}  // namespace lmtrain
