// Sources: any bytes are documents in each format and compression, or a DataError.
#include "base/error.h"
#include "data/documents.h"
#include "tests/fuzz/file_of_bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using lmtrain::FormatChoice;
  using lmtrain::SourceConfig;
  const std::string text = lmtrain::file_of_bytes(data, size, "x").string();
  // The first byte cuts a pair of Megatron's in two.
  const size_t cut = size == 0 ? 0 : std::min<size_t>(size, data[0]);
  const std::string pair = lmtrain::file_of_bytes(data, cut, "pair.idx").string();
  lmtrain::file_of_bytes(data + cut, size - cut, "pair.bin");
  const SourceConfig sources[] = {{text, ""},
                                  {text, "%"},
                                  {text, "", FormatChoice::kJsonLines},
                                  {text, "", FormatChoice::kCommas},
                                  {text, "", FormatChoice::kTabs},
                                  {text, "", FormatChoice::kLlmc},
                                  {pair, "", FormatChoice::kMegatron}};
  for (const SourceConfig& source : sources) {
    for (const auto policy : {lmtrain::Utf8Policy::kSkip, lmtrain::Utf8Policy::kReplace}) {
      try {
        lmtrain::DocumentReader reader(lmtrain::list_source_files({source}), policy);
        lmtrain::Document document;
        while (reader.next(document)) {
        }
      } catch (const lmtrain::DataError&) {
      }
    }
  }
  return 0;
}
