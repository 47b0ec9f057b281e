#include "data/tokenizer/bert_files.h"

#include <map>
#include <string>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/strict_json.h"
#include "base/text.h"
#include "base/utf8.h"
#include "data/tokenizer/companion_files.h"

namespace lmtrain {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr int64_t kMaxFileBytes = INT64_C(64) << 20;
constexpr const char* kVocabulary = "vocab.txt";
constexpr const char* kConfig = "tokenizer_config.json";

// Only \n ends a line: a token may contain the characters of other line ends. In a file from
// Windows every line has a \r before it, which is not of the token. Empty lines at the end are no
// tokens.
Json read_vocabulary(const fs::path& path) {
  std::string text = read_file(path, kMaxFileBytes);
  remove_windows_line_ends(text);
  while (text.ends_with("\n\n")) text.pop_back();
  Json vocabulary = Json::object();
  for (std::string_view rest = text; !rest.empty();) {
    const std::string token(cut_line(rest));
    const auto line = vocabulary.size() + 1;
    if (token.empty()) throw DataError(cat(path.string(), ":", line, ": an empty line"));
    if (find_invalid_utf8(token) != token.size())
      throw DataError(cat(path.string(), ":", line, ": not UTF-8"));
    if (!vocabulary.emplace(token, line - 1).second) {
      throw DataError(cat(path.string(), ":", line, ": ", show_text(token), " is there twice"));
    }
  }
  return vocabulary;
}

// As tokenizer_config.json says; most of its keys do not affect the tokens.
Json read_normalizer(const fs::path& folder) {
  const Json file = read_tokenizer_config(folder);
  Json normalizer = {{"type", "BertNormalizer"}};
  JsonObject config(file, (folder / kConfig).string());
  normalizer["lowercase"] = config.boolean("do_lower_case", true);
  normalizer["handle_chinese_chars"] = config.boolean("tokenize_chinese_chars", true);
  const Json* strip_accents = config.find("strip_accents");
  if (strip_accents != nullptr && !strip_accents->is_null())
    normalizer["strip_accents"] = config.boolean("strip_accents", true);
  return normalizer;
}

// Returns the special tokens in the order of ids, in the form of tokenizer.json.
Json added_tokens(const Json& vocabulary) {
  std::map<int64_t, std::string> contents;
  for (const char* content : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}) {
    if (vocabulary.contains(content)) contents[vocabulary[content].get<int64_t>()] = content;
  }
  Json added = Json::array();
  for (const auto& [id, content] : contents) {
    added.push_back({{"id", id}, {"content", content}, {"special", true}});
  }
  return added;
}

Json post_processor(const Json& vocabulary) {
  if (!vocabulary.contains("[CLS]") || !vocabulary.contains("[SEP]")) return nullptr;
  return {{"type", "BertProcessing"},
          {"sep", {"[SEP]", vocabulary["[SEP]"]}},
          {"cls", {"[CLS]", vocabulary["[CLS]"]}}};
}

}  // namespace

bool has_bert_files(const fs::path& folder) { return fs::exists(folder / kVocabulary); }

TokenizerPipeline load_bert_files(const fs::path& folder) {
  const Json vocabulary = read_vocabulary(folder / kVocabulary);
  Json document = {{"version", "1.0"},
                   {"added_tokens", added_tokens(vocabulary)},
                   {"normalizer", read_normalizer(folder)},
                   {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
                   {"post_processor", post_processor(vocabulary)},
                   {"decoder", {{"type", "WordPiece"}, {"prefix", "##"}}},
                   {"model",
                    {{"type", "WordPiece"},
                     {"unk_token", "[UNK]"},
                     {"continuing_subword_prefix", "##"},
                     {"max_input_chars_per_word", 100},
                     {"vocab", vocabulary}}}};
  merge_added_tokens(document, folder);
  return parse_tokenizer_json(document, (folder / kVocabulary).string());
}

}  // namespace lmtrain
