// tokenizer.json as a whole: the order and meaning of its components.
#include <algorithm>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/strict_json.h"
#include "base/text.h"
#include "data/tokenizer/tokenizer_pipeline.h"

namespace lmtrain {

namespace {

using Json = nlohmann::json;

constexpr int64_t kMaxId = INT32_MAX;
const Json kNull;

AddedToken parse_added_token(const Json& value, const std::string& place) {
  JsonObject object(value, place);
  AddedToken token;
  token.id = static_cast<int32_t>(json_integer(object.required("id"), 0, kMaxId, place + ".id"));
  token.content = object.text("content");
  if (token.content.empty()) object.fail("content", "an empty token");
  token.single_word = object.boolean("single_word", false);
  token.lstrip = object.boolean("lstrip", false);
  token.rstrip = object.boolean("rstrip", false);
  token.normalized = object.boolean("normalized", false);
  token.special = object.boolean("special", false);
  object.finish();
  return token;
}

std::vector<AddedToken> parse_added_tokens(const Json& value, const std::string& place) {
  std::vector<AddedToken> tokens;
  if (value.is_null()) return tokens;
  if (!value.is_array()) throw DataError(cat(place, ": must be a list, is ", show_value(value)));
  std::set<std::string> contents;
  for (const Json& element : value) {
    const std::string which = cat(place, "[", tokens.size(), "]");
    tokens.push_back(parse_added_token(element, which));
    if (!contents.insert(tokens.back().content).second) {
      throw DataError(cat(which, ": ", show_text(tokens.back().content), " is there twice"));
    }
  }
  return tokens;
}

// The most ids between those of tokens that no token has; some vocabularies have such holes.
constexpr int64_t kMostHoles = 1 << 16;

// Returns the number of ids: one more than the largest of the model's tokens and the added tokens,
// within what their number allows.
int64_t count_ids(const Json& model, const std::vector<AddedToken>& added_tokens) {
  if (!model.is_object() || !model.contains("vocab") || !model["vocab"].is_object()) return 0;
  const Json& vocabulary = model["vocab"];
  auto count = static_cast<int64_t>(vocabulary.size());
  for (const AddedToken& token : added_tokens) count += !vocabulary.contains(token.content);
  int64_t largest = count - 1;
  const auto take = [&](int64_t id) {
    if (id < count + kMostHoles) largest = std::max(largest, id);
  };
  for (const Json& id : vocabulary) {
    if (id.is_number_integer()) take(id.get<int64_t>());
  }
  for (const AddedToken& token : added_tokens) take(token.id);
  return largest + 1;
}

// Checks that ids are below num_ids and that no two tokens share one.
void check_added_ids(const TokenizerPipeline& pipeline, int64_t num_ids, const std::string& place) {
  std::vector<std::string> owner = pipeline.model->tokens();
  for (const AddedToken& token : pipeline.added_tokens) {
    const std::string what = cat(place, ": the id ", token.id, " of ", show_text(token.content));
    if (token.id >= num_ids) {
      throw DataError(cat(what, " is out of range: the file has ", num_ids, " tokens"));
    }
    std::string& holder = owner[static_cast<size_t>(token.id)];
    if (!holder.empty() && holder != token.content) {
      throw DataError(cat(what, " belongs to ", show_text(holder), " already"));
    }
    holder = token.content;
  }
}

// Files without a decoder leave it to their class of transformers, which has that of the model.
Json decoder_of(const Json& decoder, const Json& model) {
  if (!decoder.is_null()) return decoder;
  if (model.is_object() && model.contains("merges")) return {{"type", "ByteLevel"}};
  return {{"type", "WordPiece"}, {"prefix", "##"}};
}

const Json& component(JsonObject& file, const std::string& name) {
  const Json* value = file.find(name);
  return value == nullptr ? kNull : *value;
}

std::string added_token_json(const AddedToken& token) {
  const auto flag = [](bool value) { return value ? "true" : "false"; };
  return cat(R"({"id":)", token.id, R"(,"content":)", Json(token.content).dump(),
             R"(,"single_word":)", flag(token.single_word), R"(,"lstrip":)", flag(token.lstrip),
             R"(,"rstrip":)", flag(token.rstrip), R"(,"normalized":)", flag(token.normalized),
             R"(,"special":)", flag(token.special), "}");
}

}  // namespace

TokenizerPipeline parse_tokenizer_json(const Json& document, const std::string& origin) {
  JsonObject file(document, origin);
  const auto place = [&](const char* name) { return cat(origin, ": ", name); };
  if (const Json* version = file.find("version"); version != nullptr && *version != "1.0") {
    throw DataError(cat(place("version"), ": only '1.0' is known, is ", show_value(*version)));
  }
  // Some files store these settings of calls to the tokenizer; lmtrain does not use them.
  for (const char* key : {"truncation", "padding"}) {
    const Json& value = component(file, key);
    if (!value.is_null()) JsonObject(value, place(key));
  }
  TokenizerPipeline pipeline;
  pipeline.added_tokens =
      parse_added_tokens(component(file, "added_tokens"), place("added_tokens"));
  pipeline.post_processor = parse_post_processor(component(file, "post_processor"),
                                                 pipeline.added_tokens, place("post_processor"));
  const int64_t num_ids = count_ids(component(file, "model"), pipeline.added_tokens);
  pipeline.normalizer = parse_normalizer(component(file, "normalizer"), place("normalizer"));
  pipeline.pre_tokenizer =
      parse_pre_tokenizer(component(file, "pre_tokenizer"), place("pre_tokenizer"));
  pipeline.model = parse_model(component(file, "model"), num_ids, place("model"));
  pipeline.decoder = parse_decoder(decoder_of(component(file, "decoder"), component(file, "model")),
                                   place("decoder"));
  file.finish();
  check_added_ids(pipeline, num_ids, place("added_tokens"));
  return pipeline;
}

std::string write_tokenizer_json(const TokenizerPipeline& pipeline) {
  std::vector<std::string> added_tokens;
  for (const AddedToken& token : pipeline.added_tokens) {
    added_tokens.push_back(added_token_json(token));
  }
  return cat(R"({"version":"1.0","truncation":null,"padding":null,"added_tokens":[)",
             join(added_tokens, ","), R"(],"normalizer":)", pipeline.normalizer->to_json(),
             R"(,"pre_tokenizer":)", pipeline.pre_tokenizer->to_json(), R"(,"post_processor":)",
             post_processor_json(pipeline.post_processor, pipeline.added_tokens), R"(,"decoder":)",
             pipeline.decoder->to_json(), R"(,"model":)", pipeline.model->to_json(), "}");
}

}  // namespace lmtrain
