#include "data/tokenizer/tables_version.h"

#include "base/text.h"

namespace lmtrain {

void check_tables_version(JsonObject& object, std::string_view own) {
  const nlohmann::json* version = object.find("unicode_tables");
  if (version == nullptr || *version == own) return;
  object.fail("unicode_tables", cat("made with the tables ", show_value(*version),
                                    ", this program has '", own, "': train the tokenizer again"));
}

}  // namespace lmtrain
