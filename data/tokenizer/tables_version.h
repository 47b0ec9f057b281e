// The field "unicode_tables" of a component, by which a trained tokenizer names the tables that its
// text was normalised and split with.
#pragma once

#include <string_view>

#include "base/strict_json.h"

namespace lmtrain {

// Throws DataError when there is one and it is not this program's.
void check_tables_version(JsonObject& object, std::string_view own);

}  // namespace lmtrain
