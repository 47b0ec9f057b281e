#include "data/tokenizer/post_processor.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/strict_json.h"
#include "base/text.h"
#include "data/tokenizer/added_tokens.h"

namespace lmtrain {

namespace {

using Json = nlohmann::json;
using Piece = PostProcessor::Piece;
using Pieces = std::vector<Piece>;
using enum PostProcessor::Piece::Kind;

class Parser {
 public:
  explicit Parser(const std::vector<AddedToken>& added_tokens) : added_tokens_(added_tokens) {}

  PostProcessor parse(const Json& value, const std::string& place) const {
    if (value.is_null()) return {};
    JsonObject object(value, place);
    const std::string type = object.text("type");
    if (type == "TemplateProcessing") return parse_template(object);
    if (type == "BertProcessing") return parse_bert(object);
    if (type == "RobertaProcessing") return parse_roberta(object);
    if (type == "ByteLevel") return parse_byte_level(object);
    if (type == "Sequence") return parse_sequence(object);
    throw DataError(cat(place, ": the type ", show_text(type),
                        " is not supported; supported are null, 'TemplateProcessing',",
                        " 'BertProcessing', 'RobertaProcessing', 'ByteLevel' and 'Sequence'"));
  }

 private:
  int32_t id_of(const std::string& content, const std::string& place) const {
    const auto found = std::ranges::find(added_tokens_, content, &AddedToken::content);
    if (found == added_tokens_.end())
      throw DataError(cat(place, ": ", show_text(content), " is none of the added tokens"));
    return found->id;
  }

  void check_id(int32_t id, const Json& value, const std::string& place) const {
    if (json_integer(value, 0, INT32_MAX, place) != id)
      throw DataError(cat(place, ": the added token has the id ", id));
  }

  // {"SpecialToken":{"id":"[CLS]","type_id":0}} or {"Sequence":{"id":"A","type_id":0}}
  Piece parse_piece(const Json& value, const std::string& place) const {
    JsonObject object(value, place);
    const Json* token = object.find("SpecialToken");
    JsonObject inner(token == nullptr ? object.required("Sequence") : *token, place);
    const std::string id = inner.text("id");
    Piece piece;
    piece.type_id =
        static_cast<int32_t>(json_integer(inner.required("type_id"), 0, 1, place + ".type_id"));
    inner.finish();
    object.finish();
    if (token != nullptr) {
      piece.token = id_of(id, place);
    } else if (id == "A" || id == "B") {
      piece.kind = id == "A" ? kFirstText : kSecondText;
    } else {
      throw DataError(cat(place, ": must be 'A' or 'B', is ", show_text(id)));
    }
    return piece;
  }

  Pieces parse_pieces(const Json& value, int64_t num_second, const std::string& place) const {
    if (!value.is_array()) throw DataError(cat(place, ": must be a list, is ", show_value(value)));
    Pieces pieces;
    for (const Json& piece : value) {
      pieces.push_back(parse_piece(piece, cat(place, "[", pieces.size(), "]")));
    }
    if (std::ranges::count(pieces, kFirstText, &Piece::kind) != 1 ||
        std::ranges::count(pieces, kSecondText, &Piece::kind) != num_second) {
      throw DataError(cat(place, ": must hold each text once"));
    }
    return pieces;
  }

  PostProcessor parse_template(JsonObject& object) const {
    const std::string& place = object.place();
    PostProcessor result;
    result.single = parse_pieces(object.required("single"), 0, place + ".single");
    const Json* pair = object.find("pair");
    if (pair != nullptr && !pair->is_null() && !pair->empty())
      result.pair = parse_pieces(*pair, 1, place + ".pair");
    // "special_tokens" repeats what "added_tokens" says.
    if (const Json* tokens = object.find("special_tokens"); tokens != nullptr) {
      const JsonObject by_content(*tokens, place + ".special_tokens");
      for (const auto& [content, token] : tokens->items()) {
        const std::string what = cat(place, ".special_tokens[", show_text(content), "]");
        JsonObject fields(token, what);
        fields.find("id");
        fields.find("tokens");
        const Json& ids = fields.required("ids");
        fields.finish();
        if (!ids.is_array() || ids.size() != 1) fields.fail("ids", "must be a list of one id");
        check_id(id_of(content, what), ids[0], what + ".ids");
      }
    }
    object.finish();
    return result;
  }

  // Parses ["[SEP]",102].
  int32_t parse_token(JsonObject& object, const std::string& key) const {
    const Json& value = object.required(key);
    if (!value.is_array() || value.size() != 2) object.fail(key, "must be a token and its id");
    const std::string place = cat(object.place(), ".", key);
    const int32_t id = id_of(json_text(value[0], place), place);
    check_id(id, value[1], place);
    return id;
  }

  PostProcessor parse_bert(JsonObject& object) const {
    const int32_t separator = parse_token(object, "sep");
    const int32_t begin = parse_token(object, "cls");
    object.finish();
    return bert_post_processor(begin, separator);
  }

  PostProcessor parse_roberta(JsonObject& object) const {
    const int32_t end = parse_token(object, "sep");
    const int32_t begin = parse_token(object, "cls");
    for (const char* key : {"trim_offsets", "add_prefix_space"}) object.boolean(key, true);
    object.finish();
    return {{{kToken, begin}, {kFirstText}, {kToken, end}},
            {{kToken, begin},
             {kFirstText},
             {kToken, end},
             {kToken, end},
             {kSecondText},
             {kToken, end}}};
  }

  // A ByteLevel only moves offsets, which lmtrain does not return.
  PostProcessor parse_byte_level(JsonObject& object) const {
    for (const char* key : {"add_prefix_space", "trim_offsets", "use_regex"}) {
      object.boolean(key, true);
    }
    object.finish();
    return {};
  }

  PostProcessor parse_sequence(JsonObject& object) const {
    const Json& processors = object.required("processors");
    object.finish();
    if (!processors.is_array()) object.fail("processors", "must be a list");
    PostProcessor result;
    for (size_t i = 0; i < processors.size(); ++i) {
      PostProcessor more = parse(processors[i], cat(object.place(), ".processors[", i, "]"));
      if (more.single.empty()) continue;
      if (!result.single.empty()) object.fail("processors", "two of them add tokens");
      result = std::move(more);
    }
    return result;
  }

  const std::vector<AddedToken>& added_tokens_;
};

const AddedToken& token_of(int32_t id, const std::vector<AddedToken>& added_tokens) {
  return *std::ranges::find(added_tokens, id, &AddedToken::id);
}

std::string pieces_json(const Pieces& pieces, const std::vector<AddedToken>& added_tokens) {
  std::vector<std::string> parts;
  for (const Piece& piece : pieces) {
    const std::string type_id = cat(R"(,"type_id":)", piece.type_id, "}}");
    if (piece.kind == kToken) {
      const std::string& content = token_of(piece.token, added_tokens).content;
      parts.push_back(cat(R"({"SpecialToken":{"id":)", Json(content).dump(), type_id));
    } else {
      const char* text = piece.kind == kFirstText ? "A" : "B";
      parts.push_back(cat(R"({"Sequence":{"id":")", text, R"(")", type_id));
    }
  }
  return cat("[", join(parts, ","), "]");
}

}  // namespace

PostProcessor bert_post_processor(int32_t class_token, int32_t separator_token) {
  const Piece begin = {kToken, class_token};
  const Piece end = {kToken, separator_token};
  return {{begin, {kFirstText}, end},
          {begin, {kFirstText}, end, {kSecondText, -1, 1}, {kToken, separator_token, 1}}};
}

PostProcessor parse_post_processor(const Json& value, const std::vector<AddedToken>& added_tokens,
                                   const std::string& place) {
  return Parser(added_tokens).parse(value, place);
}

std::string post_processor_json(const PostProcessor& post_processor,
                                const std::vector<AddedToken>& added_tokens) {
  if (post_processor.single.empty()) return "null";
  std::set<std::string> tokens;
  for (const Pieces& pieces : {post_processor.single, post_processor.pair}) {
    for (const Piece& piece : pieces) {
      if (piece.kind != kToken) continue;
      const std::string content = Json(token_of(piece.token, added_tokens).content).dump();
      tokens.insert(cat(content, R"(:{"id":)", content, R"(,"ids":[)", piece.token,
                        R"(],"tokens":[)", content, "]}"));
    }
  }
  return cat(R"({"type":"TemplateProcessing","single":)",
             pieces_json(post_processor.single, added_tokens), R"(,"pair":)",
             pieces_json(post_processor.pair, added_tokens), R"(,"special_tokens":{)",
             join({tokens.begin(), tokens.end()}, ","), "}}");
}

}  // namespace lmtrain
