// Writes a config as YAML with a comment per key, and as tables for documents. Both follow the
// fields' own description. `defaults` describes a default-constructed struct of the same type.
#pragma once

#include <string>

#include "base/config_fields.h"

namespace lmtrain {

// YAML that reads back as the same values.
std::string config_yaml(const Fields& fields, const Fields& defaults);

// A Markdown heading and table (key, type, limits, default, meaning) per section.
std::string config_tables(const Fields& defaults);

}  // namespace lmtrain
