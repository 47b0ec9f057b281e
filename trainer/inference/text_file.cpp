#include "trainer/inference/text_file.h"

#include "base/durable_file.h"
#include "base/error.h"
#include "base/strict_json.h"
#include "base/text.h"

namespace lmtrain {
namespace {

TextPair from_object(std::string_view line, const TextKeys& keys, const std::string& place) {
  constexpr int kMaxDepth = 16;
  const nlohmann::json value = parse_strict_json(line, place, kMaxDepth);
  JsonObject object(value, place);
  TextPair texts = {object.text(keys.text), ""};
  if (!keys.pair.empty() && object.find(keys.pair) != nullptr) texts.pair = object.text(keys.pair);
  return texts;
}

TextPair from_tabs(std::string_view line, const std::string& place) {
  const size_t tab = line.find('\t');
  if (tab == std::string_view::npos) return {std::string(line), ""};
  const std::string_view rest = line.substr(tab + 1);
  if (rest.find('\t') != std::string_view::npos)
    throw DataError(cat(place, " has more than two columns; leave a text and its pair"));
  return {std::string(line.substr(0, tab)), std::string(rest)};
}

}  // namespace

std::vector<TextPair> read_texts(const std::filesystem::path& path, const TextKeys& keys) {
  const bool is_json = path.extension() == ".jsonl";
  const bool has_tabs = path.extension() == ".tsv" && !keys.pair.empty();
  const std::string content = read_file(path);
  std::vector<TextPair> texts;
  std::string_view rest = content;
  for (size_t number = 1; !rest.empty(); ++number) {
    std::string_view line = cut_line(rest);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::string place = cat(path.string(), ":", number);
    if (is_json) {
      if (!line.empty()) texts.push_back(from_object(line, keys, place));
    } else if (has_tabs) {
      texts.push_back(from_tabs(line, place));
    } else {
      texts.push_back({std::string(line), ""});
    }
  }
  if (texts.empty()) throw DataError(cat(path.string(), " holds no texts"));
  return texts;
}

}  // namespace lmtrain
