#include "models/huggingface/config_json.h"

#include <algorithm>

#include "base/durable_file.h"
#include "base/text.h"

namespace lmtrain {
namespace {

using nlohmann::json;

constexpr int64_t kMaxSize = int64_t{1} << 24;

}  // namespace

json load_config_json(const std::filesystem::path& path) {
  constexpr int64_t kMaxBytes = int64_t{1} << 20;
  constexpr int kMaxDepth = 16;
  return parse_python_json(read_file(path, kMaxBytes), path.string(), kMaxDepth);
}

int64_t ConfigJson::integer(const std::string& key) {
  return json_integer(object_.required(key), 1, kMaxSize, place_of(key));
}

int64_t ConfigJson::integer(const std::string& key, int64_t when_absent) {
  return is_null(key) ? when_absent : integer(key);
}

double ConfigJson::real(const std::string& key, double when_absent) {
  if (is_null(key)) return when_absent;
  const json& value = object_.required(key);
  if (!value.is_number()) object_.fail(key, cat("must be a number, is ", show_value(value)));
  return value.get<double>();
}

std::string ConfigJson::text(const std::string& key, const std::string& when_absent) {
  return is_null(key) ? when_absent : object_.text(key);
}

bool ConfigJson::boolean(const std::string& key, bool when_absent) {
  return is_null(key) ? when_absent : object_.boolean(key, when_absent);
}

void ConfigJson::must_be(const std::string& key, const json& value) {
  if (is_null(key) || object_.required(key) == value) return;
  object_.fail(key, cat("is ", show_value(object_.required(key)), "; lmtrain's model has ",
                        show_value(value)));
}

void ConfigJson::must_be_one_of(const std::string& key, const std::vector<std::string>& names) {
  if (is_null(key)) return;
  const json& value = object_.required(key);
  if (value.is_string() && std::ranges::count(names, value.get<std::string>()) > 0) return;
  object_.fail(key, cat("is ", show_value(value), "; lmtrain's model has ", join(names, ", or ")));
}

void ConfigJson::must_be_absent(const std::string& key) {
  if (is_null(key)) return;
  object_.fail(key, cat("is ", show_value(object_.required(key)), "; lmtrain has no such thing"));
}

bool ConfigJson::is_null(const std::string& key) {
  const json* value = object_.find(key);
  return value == nullptr || value->is_null();
}

std::string ConfigJson::place_of(const std::string& key) const {
  return cat(object_.place(), ".", key);
}

}  // namespace lmtrain
