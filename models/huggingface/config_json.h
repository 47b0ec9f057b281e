// Reads the config.json of the transformers package key by key. Keys that no family asks for are
// ignored, since transformers writes many that say nothing about the model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/strict_json.h"

namespace lmtrain {

// Reads a config.json or the like as Python writes it, of at most 1 MiB and 16 levels. Throws
// DataError and IoError.
nlohmann::json load_config_json(const std::filesystem::path& path);

// Every reader treats an absent key like null. A value of another type or out of range throws
// DataError, which names the key.
class ConfigJson {
 public:
  // Messages begin with `place`. The value must be an object.
  ConfigJson(const nlohmann::json& value, const std::string& place) : object_(value, place) {}

  // Returns an integer from 1 to 2^24.
  int64_t integer(const std::string& key);
  int64_t integer(const std::string& key, int64_t when_absent);
  double real(const std::string& key, double when_absent);
  std::string text(const std::string& key, const std::string& when_absent);
  bool boolean(const std::string& key, bool when_absent);
  // must_be throws DataError where a key has another value than the only one that lmtrain's models
  // support; must_be_absent throws it where they have no such setting.
  void must_be(const std::string& key, const nlohmann::json& value);
  // The same for one thing that has several names.
  void must_be_one_of(const std::string& key, const std::vector<std::string>& names);
  void must_be_absent(const std::string& key);

  bool has(const std::string& key) { return object_.find(key) != nullptr; }
  bool is_null(const std::string& key);
  const nlohmann::json& required(const std::string& key) { return object_.required(key); }
  // Returns "PLACE.KEY".
  std::string place_of(const std::string& key) const;
  [[noreturn]] void fail(const std::string& key, const std::string& problem) const {
    object_.fail(key, problem);
  }

 private:
  JsonObject object_;
};

}  // namespace lmtrain
