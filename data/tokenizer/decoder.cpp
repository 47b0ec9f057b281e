#include "data/tokenizer/decoder.h"

#include <cctype>
#include <utility>

#include "base/error.h"
#include "base/strict_json.h"
#include "base/text.h"
#include "data/tokenizer/byte_alphabet.h"

namespace lmtrain {

namespace {

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string result;
  size_t at = 0;
  for (size_t found = 0; (found = text.find(from, at)) != text.npos; at = found + from.size()) {
    result.append(text.substr(at, found - at)).append(to);
  }
  return result.append(text.substr(at));
}

// The replacements are made in this order.
constexpr std::pair<std::string_view, std::string_view> kCleanings[] = {
    {" .", "."},   {" ?", "?"},     {" !", "!"},     {" ,", ","},
    {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},   {" do not", " don't"},
    {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
};

std::string clean_up(std::string text) {
  for (const auto& [from, to] : kCleanings) {
    if (text.find(from) != text.npos) text = replace_all(text, from, to);
  }
  return text;
}

std::unique_ptr<TokenDecoder> parse_byte_level(JsonObject& object) {
  // The format gives these fields to three kinds of components. Decoding uses none of them.
  for (const char* key : {"add_prefix_space", "trim_offsets", "use_regex"}) {
    object.boolean(key, true);
  }
  object.finish();
  return std::make_unique<ByteLevelDecoder>();
}

std::unique_ptr<TokenDecoder> parse_wordpiece(JsonObject& object) {
  const std::string prefix = object.text("prefix");
  const bool cleans_up = object.boolean("cleanup", true);
  object.finish();
  return std::make_unique<WordPieceDecoder>(prefix, cleans_up);
}

}  // namespace

std::string ByteLevelDecoder::token_text(std::string_view token) const {
  return read_byte_alphabet(token);
}

bool ByteLevelDecoder::continues_word(std::string_view token) const {
  const std::string text = read_byte_alphabet(token);
  return !text.empty() && std::isspace(static_cast<unsigned char>(text.front())) == 0;
}

std::string ByteLevelDecoder::to_json() const {
  return R"({"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true})";
}

std::string WordPieceDecoder::token_text(std::string_view token) const {
  std::string text =
      continues_word(token) ? std::string(token.substr(prefix_.size())) : cat(" ", token);
  return cleans_up_ ? clean_up(std::move(text)) : text;
}

std::string WordPieceDecoder::first_text(std::string_view token) const {
  return cleans_up_ ? clean_up(std::string(token)) : std::string(token);
}

bool WordPieceDecoder::continues_word(std::string_view token) const {
  return token.starts_with(prefix_);
}

std::string WordPieceDecoder::to_json() const {
  return cat(R"({"type":"WordPiece","prefix":)", nlohmann::json(prefix_).dump(), R"(,"cleanup":)",
             cleans_up_ ? "true" : "false", "}");
}

std::unique_ptr<TokenDecoder> parse_decoder(const nlohmann::json& value, const std::string& place) {
  JsonObject object(value, place);
  const std::string type = object.text("type");
  if (type == "ByteLevel") return parse_byte_level(object);
  if (type == "WordPiece") return parse_wordpiece(object);
  if (type == "Sequence") {
    const nlohmann::json& parts = object.required("decoders");
    if (!parts.is_array() || parts.size() != 1)
      object.fail("decoders", "only a sequence of one decoder is supported");
    object.finish();
    return parse_decoder(parts[0], place + ".decoders[0]");
  }
  throw DataError(cat(place, ": the type ", show_text(type),
                      " is not supported; supported are 'ByteLevel' and 'WordPiece'"));
}

}  // namespace lmtrain
