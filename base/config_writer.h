// Writes a config as YAML, and as tables for documents. Both are generated from the description of
// the fields. `defaults` describes a default-constructed struct of the same type.
#pragma once

#include <string>

#include "base/config_fields.h"

namespace lmtrain {

// kDocumented: every key with a comment. kValues: every key. kChanged: those that differ from their
// default.
enum class ConfigText { kDocumented, kValues, kChanged };

// Returns YAML that reads back as the same values.
std::string config_yaml(const Fields& fields, const Fields& defaults, ConfigText text);

// Returns a Markdown heading and table (key, type, limits, default, meaning) per section.
std::string config_tables(const Fields& defaults);

}  // namespace lmtrain
