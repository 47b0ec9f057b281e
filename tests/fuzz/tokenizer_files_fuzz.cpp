// The files of older tokenizers: vocab.txt, or vocab.json and merges.txt. Any bytes are a tokenizer
// that encodes, or a DataError.
#include <vector>

#include "base/error.h"
#include "data/tokenizer/tokenizer.h"
#include "tests/fuzz/file_of_bytes.h"

namespace {

void load(const std::filesystem::path& folder) {
  try {
    const lmtrain::Tokenizer tokenizer = lmtrain::Tokenizer::load(folder);
    std::vector<int32_t> ids;
    tokenizer.encode("The dogs \xE4\xB8\xAD\xE6\x96\x87\n", ids, lmtrain::SpecialTokens::kMatched);
  } catch (const lmtrain::DataError&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lmtrain;
  const std::filesystem::path bert = empty_folder("bert");
  write_bytes(bert / "vocab.txt", data, size);
  load(bert);
  Parts parts(data, size);
  const std::filesystem::path gpt2 = empty_folder("gpt2");
  write_text(gpt2 / "vocab.json", parts.next());
  write_text(gpt2 / "merges.txt", parts.next());
  write_text(gpt2 / "tokenizer_config.json", parts.next(/*is_last=*/true));
  load(gpt2);
  return 0;
}
