// JSON, and config.json of a model: any bytes are a config that can be written again, or a
// DataError.
#include <string_view>

#include "base/error.h"
#include "base/strict_json.h"
#include "models/families/families.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const nlohmann::json value = lmtrain::parse_strict_json(
        {reinterpret_cast<const char*>(data), size}, "config.json", /*max_depth=*/16);
    const lmtrain::HuggingfaceModel model = lmtrain::model_from_json(value, "config.json");
    if (lmtrain::find_problem(model.config)) return 0;
    const nlohmann::json written =
        lmtrain::model_to_json(model.config, model.num_tokens, {}, "float32");
    lmtrain::model_from_json(written, "written");
  } catch (const lmtrain::DataError&) {
  }
  return 0;
}
