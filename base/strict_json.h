// Strict reading of JSON. What nlohmann::json accepts silently (duplicate keys, deep nesting,
// numbers that wrap) is an error here, with a one-line message that names the file and the place.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace lmtrain {

// Throws DataError on malformed JSON, invalid UTF-8, a duplicate key, or nesting deeper than
// `max_depth`. `origin` opens every message.
nlohmann::json parse_strict_json(std::string_view text, const std::string& origin, int max_depth);

// The same for files that Python wrote, which may hold NaN, Infinity and -Infinity: these are not
// JSON, and become the texts "NaN" and so on, which no reader of numbers accepts.
nlohmann::json parse_python_json(std::string_view text, const std::string& origin, int max_depth);

// One object of a JSON file, read key by key. Every reader throws DataError when the value has
// another type or is out of range; finish() throws it when the object has a key that was not read.
class JsonObject {
 public:
  // `place` names file and component ("x/tokenizer.json: model"); the value must be an object.
  JsonObject(const nlohmann::json& value, std::string place);

  const std::string& place() const { return place_; }
  // Returns the value at `key`, or null when the key is absent.
  const nlohmann::json* find(const std::string& key);
  const nlohmann::json& required(const std::string& key);

  std::string text(const std::string& key);
  bool boolean(const std::string& key, bool when_absent);
  // Throws unless the key is absent or a boolean equal to `value`, the only one lmtrain supports.
  void only(const std::string& key, bool value);
  // Throws unless the key is absent, null or "": lmtrain does not have this feature.
  void nothing(const std::string& key);

  void finish() const;

  [[noreturn]] void fail(const std::string& key, const std::string& problem) const;

 private:
  const nlohmann::json& value_;
  std::string place_;
  std::set<std::string, std::less<>> asked_;
};

// Returns an integer of [min, max], else throws DataError. `what` opens the message
// ("x/tokenizer.json: model.vocab["the"]").
int64_t json_integer(const nlohmann::json& value, int64_t min, int64_t max,
                     const std::string& what);
std::string json_text(const nlohmann::json& value, const std::string& what);

// Makes text from a file fit for a one-line message: it is cut at 40 bytes, and control characters
// are spelt out ("'the <0x07>'").
std::string show_text(std::string_view text);
// The same for a JSON value: numbers and literals stay as they are; other values become "a list" or
// "an object".
std::string show_value(const nlohmann::json& value);

}  // namespace lmtrain
