#include "trainer/config/load_config.h"

#include "base/config_reader.h"
#include "base/config_writer.h"
#include "base/yaml_reader.h"
#include "trainer/config/synonyms.h"

namespace lmtrain {
namespace {

Fields describe(Config& config) {
  Fields fields;
  config.describe(fields);
  return fields;
}

}  // namespace

LoadedConfig parse_config(std::string_view text, const std::string& name) {
  LoadedConfig loaded;
  loaded.name = name;
  const YamlSource source = {name};
  apply_yaml(describe(loaded.config), parse_yaml_mapping(text, source), source, loaded.positions,
             config_synonyms());
  return loaded;
}

LoadedConfig load_config(const std::filesystem::path& path,
                         const std::vector<std::string>& overrides) {
  LoadedConfig loaded;
  loaded.name = "command line";
  if (!path.empty()) loaded = parse_config(read_yaml_file(path), path.string());
  const Fields fields = describe(loaded.config);
  for (const std::string& override : overrides) {
    apply_override(fields, override, loaded.positions, config_synonyms());
  }
  return loaded;
}

std::string place_of(const LoadedConfig& loaded, const std::vector<std::string>& keys) {
  for (const std::string& key : keys) {
    const std::string place = loaded.positions.at(key);
    if (place != "default") return place + ": ";
  }
  return loaded.name + ": ";
}

bool is_changed(const LoadedConfig& loaded, const std::string& key) {
  if (!loaded.positions.is_set(key)) return false;
  return std::ranges::any_of(config_changes(values_of(Config{}), values_of(loaded.config)),
                             [&](const ConfigChange& change) { return change.key == key; });
}

std::string print_config(Config config, ConfigText text) {
  Config defaults;
  return config_yaml(describe(config), describe(defaults), text);
}

std::vector<ConfigValue> values_of(Config config) { return config_values(describe(config)); }

}  // namespace lmtrain
