// JSON read without mercy: what nlohmann::json lets pass silently (duplicate keys, deep nesting,
// numbers that wrap) is an error here, in one line that names the file and the place in it.
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

// One object of a JSON file, read key by key. Every reader throws DataError when the value has
// another type or is out of range, and finish() when the object has a key that nobody asked for.
class JsonObject {
 public:
  // `place` names file and component ("x/tokenizer.json: model"); the value must be an object.
  JsonObject(const nlohmann::json& value, std::string place);

  const std::string& place() const { return place_; }
  // The value at `key`, or null when it is absent.
  const nlohmann::json* find(const std::string& key);
  const nlohmann::json& required(const std::string& key);

  std::string text(const std::string& key);
  bool boolean(const std::string& key, bool when_absent);
  // A choice that lmtrain makes in one way only: absent, or a boolean equal to `value`.
  void only(const std::string& key, bool value);
  // A feature that lmtrain does not have: absent, null, or the empty string.
  void nothing(const std::string& key);

  void finish() const;

  [[noreturn]] void fail(const std::string& key, const std::string& problem) const;

 private:
  const nlohmann::json& value_;
  std::string place_;
  std::set<std::string, std::less<>> asked_;
};

// An integer that fits; `what` opens the message ("x/tokenizer.json: model.vocab["the"]").
int64_t json_integer(const nlohmann::json& value, int64_t min, int64_t max,
                     const std::string& what);
std::string json_text(const nlohmann::json& value, const std::string& what);

// "'the <0x07>'": text from a file made fit for a one-line message: cut at 40 bytes, control
// characters spelt out.
std::string show_text(std::string_view text);
// The same of a JSON value: numbers and literals as they are, "a list" and "an object".
std::string show_value(const nlohmann::json& value);

}  // namespace lmtrain
