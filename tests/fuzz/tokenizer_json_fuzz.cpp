// tokenizer.json: any bytes are a tokenizer that encodes, decodes and writes itself, or a
// DataError.
#include <string_view>
#include <vector>

#include "base/error.h"
#include "data/tokenizer/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const lmtrain::Tokenizer tokenizer =
        lmtrain::Tokenizer::parse({reinterpret_cast<const char*>(data), size}, "tokenizer.json");
    std::vector<int32_t> ids;
    tokenizer.encode("The 3 dogs' \xC3\xA9t\xC3\xA9 \xE4\xB8\xAD\xE6\x96\x87\n\n  end\xFF", ids,
                     lmtrain::SpecialTokens::kMatched);
    tokenizer.decode(ids, /*with_special_tokens=*/true);
    lmtrain::Tokenizer::parse(tokenizer.to_json(), "written");
  } catch (const lmtrain::DataError&) {
  }
  return 0;
}
