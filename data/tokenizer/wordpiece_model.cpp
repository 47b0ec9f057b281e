#include "data/tokenizer/wordpiece_model.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/strict_json.h"
#include "base/text.h"
#include "data/tokenizer/utf8_character.h"

namespace lmtrain {

namespace {

using Json = nlohmann::json;

constexpr int64_t kMaxCharacters = INT64_C(1) << 20;

bool is_longer(std::string_view word, int64_t max_characters) {
  if (static_cast<int64_t>(word.size()) <= max_characters) return false;
  const char* const end = word.data() + word.size();
  int64_t count = 0;
  for (const char* at = word.data(); at < end && count <= max_characters; ++count) {
    at += read_utf8(at, end).size;
  }
  return count > max_characters;
}

}  // namespace

WordPieceModel::WordPieceModel(std::vector<std::string> tokens, WordPieceOptions options,
                               const std::string& place)
    : tokens_(std::move(tokens)), options_(std::move(options)), trie_(tokens_) {
  const auto unknown = std::ranges::find(tokens_, options_.unknown_token);
  if (options_.unknown_token.empty() || unknown == tokens_.end()) {
    throw DataError(
        cat(place, ".unk_token: ", show_text(options_.unknown_token), " is not in the vocabulary"));
  }
  unknown_ = static_cast<int32_t>(unknown - tokens_.begin());
  for (const char byte : options_.continuing_prefix) {
    if (continuing_node_ != TokenTrie::kNoNode)
      continuing_node_ = trie_.child(continuing_node_, byte);
  }
}

void WordPieceModel::encode_word(std::string_view word, std::vector<int32_t>& ids) const {
  if (is_longer(word, options_.max_characters)) {
    ids.push_back(unknown_);
    return;
  }
  const size_t num_before = ids.size();
  uint32_t start = TokenTrie::kRoot;
  for (size_t begin = 0; begin < word.size(); start = continuing_node_) {
    int32_t longest = TokenTrie::kNoToken;
    size_t longest_end = begin;
    uint32_t node = start;
    for (size_t at = begin; at < word.size() && node != TokenTrie::kNoNode;) {
      node = trie_.child(node, word[at++]);
      if (node == TokenTrie::kNoNode || trie_.token(node) == TokenTrie::kNoToken) continue;
      longest = trie_.token(node);
      longest_end = at;
    }
    if (longest == TokenTrie::kNoToken) {
      ids.resize(num_before);
      ids.push_back(unknown_);
      return;
    }
    ids.push_back(longest);
    begin = longest_end;
  }
}

std::string WordPieceModel::to_json() const {
  std::string json =
      cat(R"({"type":"WordPiece","unk_token":)", Json(options_.unknown_token).dump(),
          R"(,"continuing_subword_prefix":)", Json(options_.continuing_prefix).dump(),
          R"(,"max_input_chars_per_word":)", options_.max_characters, R"(,"vocab":)");
  return json + vocabulary_json(tokens_) + "}";
}

std::unique_ptr<WordPieceModel> parse_wordpiece_model(const Json& value, int64_t num_ids,
                                                      const std::string& place) {
  JsonObject object(value, place);
  object.find("type");
  WordPieceOptions options;
  options.unknown_token = object.text("unk_token");
  options.continuing_prefix = object.text("continuing_subword_prefix");
  const std::string limit = "max_input_chars_per_word";
  options.max_characters =
      json_integer(object.required(limit), 0, kMaxCharacters, place + "." + limit);
  auto tokens = parse_vocabulary(object.required("vocab"), num_ids, place + ".vocab");
  object.finish();
  return std::make_unique<WordPieceModel>(std::move(tokens), std::move(options), place);
}

}  // namespace lmtrain
