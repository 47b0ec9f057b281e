// Fills the fields of a config from YAML and from the command line, with the same strict checks.
// Every error is a ConfigError that says where, which key, what was expected and what was found.
// For an unknown key it also suggests the nearest known one, or the key that `synonyms` leads to.
#pragma once

#include <string>
#include <vector>

#include "base/config_fields.h"
#include "base/config_positions.h"
#include "base/config_suggestion.h"
#include "base/yaml_reader.h"

namespace lmtrain {

// Sets the keys that `root`, a mapping, holds. All others keep their values.
void apply_yaml(const Fields& fields, const YamlNode& root, const YamlSource& source,
                ConfigPositions& positions, const std::vector<Synonyms>& synonyms = {});

// Sets one "key.sub=value". List elements count from 0; the number after the last adds an element.
void apply_override(const Fields& fields, const std::string& argument, ConfigPositions& positions,
                    const std::vector<Synonyms>& synonyms = {});

}  // namespace lmtrain
