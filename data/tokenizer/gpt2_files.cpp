#include "data/tokenizer/gpt2_files.h"

#include "base/durable_file.h"
#include "base/error.h"
#include "base/strict_json.h"
#include "base/text.h"
#include "data/tokenizer/companion_files.h"
#include "data/tokenizer/pre_tokenizer.h"
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
  std::string text = read_file(path, kMaxFileBytes);
  remove_windows_line_ends(text);
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

void add_special(Json& document, std::initializer_list<std::string_view> contents) {
  const Json& vocabulary = document["model"]["vocab"];
  for (const std::string_view content : contents) {
    const std::string name(content);
    if (!vocabulary.contains(name)) continue;
    document["added_tokens"].push_back(
        {{"id", vocabulary[name]}, {"content", name}, {"special", true}});
  }
}

// What the classes that write these two files do with the text besides.
void add_class(Json& document, const std::string& name, const fs::path& folder) {
  const Json& vocabulary = document["model"]["vocab"];
  if (name == "Qwen2Tokenizer") {
    document["normalizer"] = {{"type", "NFC"}};
    document["pre_tokenizer"] = {
        {"type", "Sequence"},
        {"pretokenizers",
         {{{"type", "Split"},
           {"pattern", {{"Regex", std::string(kQwenPattern)}}},
           {"behavior", "Isolated"},
           {"invert", false}},
          {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}}}};
    add_special(document, {kEndOfText});
    return;
  }
  if (name == "RobertaTokenizer") {
    add_special(document, {"<s>", "<pad>", "</s>", "<unk>", "<mask>"});
    if (vocabulary.contains("<s>") && vocabulary.contains("</s>")) {
      document["post_processor"] = {{"type", "RobertaProcessing"},
                                    {"sep", {"</s>", vocabulary["</s>"]}},
                                    {"cls", {"<s>", vocabulary["<s>"]}},
                                    {"trim_offsets", true},
                                    {"add_prefix_space", false}};
    }
  } else if (name.empty() || name == "GPT2Tokenizer" || name == "PreTrainedTokenizer") {
    add_special(document, {kEndOfText});
  } else {
    throw DataError(
        cat(folder.string(), " holds ", kVocabulary, " and ", kMerges, " of the class ", name,
            ", which lmtrain does not build from them (GPT2Tokenizer, RobertaTokenizer and "
            "Qwen2Tokenizer it does); save a tokenizer.json with transformers: "
            "AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)"));
  }
  document["pre_tokenizer"] = {{"type", "ByteLevel"}, {"add_prefix_space", false}};
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
  Json document = {
      {"version", "1.0"},
      {"added_tokens", Json::array()},
      {"decoder", {{"type", "ByteLevel"}}},
      {"model",
       {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", read_merges(folder / kMerges)}}}};
  add_class(document, tokenizer_class_of(folder), folder);
  merge_added_tokens(document, folder);
  return parse_tokenizer_json(document, folder.string());
}

}  // namespace lmtrain
