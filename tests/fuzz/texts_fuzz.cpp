// Files of texts and pairs, for commands: any bytes are rows, or a DataError that names the line.
#include "base/error.h"
#include "tests/fuzz/file_of_bytes.h"
#include "trainer/inference/text_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  for (const char* name : {"x.jsonl", "x.tsv", "x.txt"}) {
    const std::filesystem::path path = lmtrain::file_of_bytes(data, size, name);
    for (const char* pair : {"", "pair"}) {
      try {
        lmtrain::read_texts(path, {"text", pair});
      } catch (const lmtrain::DataError&) {
      }
    }
  }
  return 0;
}
