#include "trainer/inference/text_file.h"

#include "base/durable_file.h"
#include "base/error.h"
#include "base/text.h"

namespace lmtrain {
namespace {

TextPair from_object(JsonObject& object, const TextKeys& keys) {
  TextPair texts = {object.text(keys.text), ""};
  if (!keys.pair.empty() && object.find(keys.pair) != nullptr) texts.pair = object.text(keys.pair);
  return texts;
}

// Calls `visit` with each line without its line break, and its place "FILE:LINE".
void for_each_line(const std::filesystem::path& path,
                   const std::function<bool(std::string_view, const std::string&)>& visit) {
  const std::string content = read_file(path);
  std::string_view rest = content;
  for (size_t number = 1; !rest.empty(); ++number) {
    std::string_view line = cut_line(rest);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!visit(line, cat(path.string(), ":", number))) return;
  }
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

void read_json_lines(const std::filesystem::path& path,
                     const std::function<bool(JsonObject&)>& read) {
  constexpr int kMaxDepth = 16;
  for_each_line(path, [&](std::string_view line, const std::string& place) {
    if (line.empty()) return true;
    const nlohmann::json value = parse_strict_json(line, place, kMaxDepth);
    JsonObject object(value, place);
    return read(object);
  });
}

std::vector<TextPair> read_texts(const std::filesystem::path& path, const TextKeys& keys) {
  std::vector<TextPair> texts;
  if (path.extension() == ".jsonl") {
    read_json_lines(path, [&](JsonObject& object) {
      texts.push_back(from_object(object, keys));
      return true;
    });
  } else {
    const bool has_tabs = path.extension() == ".tsv" && !keys.pair.empty();
    for_each_line(path, [&](std::string_view line, const std::string& place) {
      texts.push_back(has_tabs ? from_tabs(line, place) : TextPair{std::string(line), ""});
      return true;
    });
  }
  if (texts.empty()) throw DataError(cat(path.string(), " holds no texts"));
  return texts;
}

}  // namespace lmtrain
