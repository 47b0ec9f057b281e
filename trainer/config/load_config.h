// Reads the config of a run from its file and the command line, and prints it as YAML.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/config_positions.h"
#include "base/config_value.h"
#include "base/config_writer.h"
#include "trainer/config/config.h"

namespace lmtrain {

struct LoadedConfig {
  Config config;
  ConfigPositions positions;
  std::string name;  // the file's, for messages
};

// "configs/x.yaml:3:25: ": the place of the first of these keys that has been set, or the config's
// name where none has.
std::string place_of(const LoadedConfig& loaded, const std::vector<std::string>& keys);

// Whether the key was given another value than its default. What a key says that has no effect is
// refused by this and not by its place: a run's own config.yaml gives all keys.
bool is_changed(const LoadedConfig& loaded, const std::string& key);

// Defaults, then the file (none when `path` is empty), then each "key.sub=value" in turn. Throws
// ConfigError for anything that it does not understand completely. Writes no file.
LoadedConfig load_config(const std::filesystem::path& path,
                         const std::vector<std::string>& overrides);

// The same from YAML text, such as that of a checkpoint; `name` stands for the file in messages.
LoadedConfig parse_config(std::string_view text, const std::string& name);

// The config as YAML; reads back as the same config.
std::string print_config(Config config, ConfigText text = ConfigText::kDocumented);

// Every key with its value, in the order of the description.
std::vector<ConfigValue> values_of(Config config);

}  // namespace lmtrain
