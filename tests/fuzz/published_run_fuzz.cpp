// What `lmtrain audit` reads: from any bytes, by any name, runs that can be audited or a DataError.
#include <string>

#include "base/error.h"
#include "energy/audit/audit.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lmtrain;
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const char* name : {"x.csv", "x.json", "x.md", "x"}) {
    try {
      for (const PublishedRun& run : parse_published_runs(text, name)) audit(run);
    } catch (const DataError&) {
    }
  }
  return 0;
}
