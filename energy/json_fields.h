// Reads JSON objects strictly: a field that is absent or of another type throws a DataError that
// names it.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"

namespace lmtrain {

inline const nlohmann::json& json_field(const nlohmann::json& object, const char* key) {
  if (!object.is_object()) throw DataError(cat("expected a JSON object with \"", key, "\""));
  const auto at = object.find(key);
  if (at == object.end()) throw DataError(cat("\"", key, "\" is absent"));
  return *at;
}

inline double json_number(const nlohmann::json& value, const char* what) {
  if (!value.is_number()) throw DataError(cat("\"", what, "\" is not a number"));
  return value.get<double>();
}
inline double number_field(const nlohmann::json& object, const char* key) {
  return json_number(json_field(object, key), key);
}
inline int64_t integer_field(const nlohmann::json& object, const char* key) {
  const nlohmann::json& value = json_field(object, key);
  // Unsigned numbers above the largest int64_t would come back negative.
  const bool fits = !value.is_number_unsigned() || value.get<uint64_t>() <= INT64_MAX;
  if (!value.is_number_integer() || !fits)
    throw DataError(cat("\"", key, "\" is not a whole number"));
  return value.get<int64_t>();
}
inline std::string text_field(const nlohmann::json& object, const char* key) {
  const nlohmann::json& value = json_field(object, key);
  if (!value.is_string()) throw DataError(cat("\"", key, "\" is not a text"));
  return value.get<std::string>();
}
inline bool boolean_field(const nlohmann::json& object, const char* key) {
  const nlohmann::json& value = json_field(object, key);
  if (!value.is_boolean()) throw DataError(cat("\"", key, "\" is not true or false"));
  return value.get<bool>();
}
inline const nlohmann::json& array_field(const nlohmann::json& object, const char* key) {
  const nlohmann::json& value = json_field(object, key);
  if (!value.is_array()) throw DataError(cat("\"", key, "\" is not a list"));
  return value;
}

// Parses one document. Throws DataError when it is not JSON.
inline nlohmann::json parse_json(std::string_view text) {
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception&) {
    throw DataError("not valid JSON");
  }
}

// Rounds `value` to `digits` decimals, so that files hold no digits without meaning.
inline double rounded(double value, int digits) {
  const double scale = std::pow(10.0, digits);
  return std::round(value * scale) / scale;
}

}  // namespace lmtrain
