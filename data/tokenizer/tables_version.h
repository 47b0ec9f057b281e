// A component's field "unicode_tables" names the version of the tables with which the text for
// training the tokenizer was normalised and split.
#pragma once

#include <string_view>

#include "base/strict_json.h"

namespace lmtrain {

// Throws DataError when the field is there and differs from `own`, this program's version.
void check_tables_version(JsonObject& object, std::string_view own);

}  // namespace lmtrain
