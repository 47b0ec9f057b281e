// Token files: any bytes are a file whose tokens verify, or a DataError.
#include "base/error.h"
#include "data/token_file.h"
#include "tests/fuzz/file_of_bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const auto file = lmtrain::TokenFile::open(lmtrain::file_of_bytes(data, size, "tokens"));
    file.verify();
    if (file.header().num_documents > 0) file.part(0, 1);
  } catch (const lmtrain::DataError&) {
  }
  return 0;
}
