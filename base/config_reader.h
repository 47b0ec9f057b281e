// Fills the fields of a config from YAML and from the command line, with the same strict checks.
// Every error is a ConfigError that says where, which key, what was expected and what was found;
// for an unknown key also the nearest known one, or what `synonyms` calls it.
#pragma once

#include <string>
#include <vector>

#include "base/config_fields.h"
#include "base/config_positions.h"
#include "base/config_suggestion.h"
#include "base/yaml_reader.h"

namespace lmtrain {

// Sets the keys that `root` (a mapping) names; others keep their value.
void apply_yaml(const Fields& fields, const YamlNode& root, const YamlSource& source,
                ConfigPositions& positions, const std::vector<Synonyms>& synonyms = {});

// One "key.sub=value". Elements of a list are numbered from 0; the number after the last adds one.
void apply_override(const Fields& fields, const std::string& argument, ConfigPositions& positions,
                    const std::vector<Synonyms>& synonyms = {});

}  // namespace lmtrain
