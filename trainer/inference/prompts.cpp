#include "trainer/inference/prompts.h"

#include "base/durable_file.h"
#include "base/error.h"
#include "base/strict_json.h"
#include "base/text.h"

namespace lmtrain {
namespace {

std::string text_of_line(std::string_view line, const std::string& field,
                         const std::string& place) {
  constexpr int kMaxDepth = 16;
  const nlohmann::json object = parse_strict_json(line, place, kMaxDepth);
  return JsonObject(object, place).text(field);
}

}  // namespace

std::vector<std::string> read_texts(const std::filesystem::path& path, const std::string& field) {
  const bool is_json = path.extension() == ".jsonl";
  const std::string content = read_file(path);
  std::vector<std::string> texts;
  size_t number = 0;
  for (size_t begin = 0; begin < content.size();) {
    const size_t end = std::min(content.find('\n', begin), content.size());
    std::string_view line = std::string_view(content).substr(begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    begin = end + 1;
    ++number;
    if (!is_json) {
      texts.emplace_back(line);
    } else if (!line.empty()) {
      texts.push_back(text_of_line(line, field, cat(path.string(), ":", number)));
    }
  }
  if (texts.empty()) throw DataError(cat(path.string(), " holds no texts"));
  return texts;
}

}  // namespace lmtrain
