#include "data/tokenizer/gpt2_files.h"

#include "base/durable_file.h"
#include "base/error.h"
#include "base/strict_json.h"
#include "base/text.h"
#include "data/tokenizer/tokenizer.h"

namespace lmtrain {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr int64_t kMaxFileBytes = INT64_C(64) << 20;
constexpr int kMaxDepth = 2;
constexpr const char* kVocabulary = "vocab.json";
constexpr const char* kMerges = "merges.txt";

// Only \n ends a line: a merge may contain the characters of other line ends.
Json read_merges(const fs::path& path) {
  const std::string text = read_file(path, kMaxFileBytes);
  Json merges = Json::array();
  int64_t line_number = 0;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string line(cut_line(rest));
    ++line_number;
    if (line.empty() || (line_number == 1 && line.starts_with("#version"))) continue;
    const size_t space = line.find(' ');
    if (space == std::string::npos || line.find(' ', space + 1) != std::string::npos) {
      throw DataError(cat(path.string(), ":", line_number, ": ", show_text(line),
                          " is not two tokens with a space between"));
    }
    merges.push_back({line.substr(0, space), line.substr(space + 1)});
  }
  return merges;
}

}  // namespace

bool has_gpt2_files(const fs::path& folder) {
  return fs::exists(folder / kVocabulary) && fs::exists(folder / kMerges);
}

TokenizerPipeline load_gpt2_files(const fs::path& folder) {
  const fs::path path = folder / kVocabulary;
  const Json vocabulary =
      parse_strict_json(read_file(path, kMaxFileBytes), path.string(), kMaxDepth);
  if (!vocabulary.is_object())
    throw DataError(cat(path.string(), ": must be an object, is ", show_value(vocabulary)));
  Json added = Json::array();
  if (vocabulary.contains(kEndOfText)) {
    added.push_back(
        {{"id", vocabulary[std::string(kEndOfText)]}, {"content", kEndOfText}, {"special", true}});
  }
  const Json document = {
      {"version", "1.0"},
      {"added_tokens", added},
      {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}},
      {"decoder", {{"type", "ByteLevel"}}},
      {"model",
       {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", read_merges(folder / kMerges)}}}};
  return parse_tokenizer_json(document, folder.string());
}

}  // namespace lmtrain
