// config.json of the transformers package, read key by key. Keys that nobody asks for are left
// alone: transformers writes many that say nothing about the model.
#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

#include "base/strict_json.h"

namespace lmtrain {

// Every reader takes an absent key and null for the same, and throws DataError, naming the key, for
// a value of another type or out of range.
class ConfigJson {
 public:
  // `place` opens messages; the value must be an object.
  ConfigJson(const nlohmann::json& value, const std::string& place) : object_(value, place) {}

  // From 1 to 2^24.
  int64_t integer(const std::string& key);
  int64_t integer(const std::string& key, int64_t when_absent);
  double real(const std::string& key, double when_absent);
  std::string text(const std::string& key, const std::string& when_absent);
  bool boolean(const std::string& key, bool when_absent);
  // A setting that lmtrain's model has one value of, and one that it does not have at all.
  void must_be(const std::string& key, const nlohmann::json& value);
  void must_be_absent(const std::string& key);

  bool has(const std::string& key) { return object_.find(key) != nullptr; }
  bool is_null(const std::string& key);
  const nlohmann::json& required(const std::string& key) { return object_.required(key); }
  // "PLACE.KEY"
  std::string place_of(const std::string& key) const;
  [[noreturn]] void fail(const std::string& key, const std::string& problem) const {
    object_.fail(key, problem);
  }

 private:
  JsonObject object_;
};

}  // namespace lmtrain
