// manifest.json: any bytes are a manifest or a CheckpointError, as they are and with a checksum
// that fits them.
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"
#include "tests/fuzz/file_of_bytes.h"
#include "trainer/checkpoint/checkpoint.h"

namespace {

void read(const std::filesystem::path& folder, std::string_view text) {
  lmtrain::write_text(folder / "manifest.json", text);
  try {
    const lmtrain::Manifest manifest = lmtrain::read_manifest(folder);
    lmtrain::verify_files(folder, manifest);
  } catch (const lmtrain::CheckpointError&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::filesystem::path folder = lmtrain::empty_folder("checkpoint");
  read(folder, text);
  // What the checksum covers begins behind the first line.
  const size_t end = text.find(",\n");
  const std::string_view covered = end == std::string_view::npos ? text : text.substr(end + 2);
  read(folder, lmtrain::cat("{\n \"manifest_xxh3\": \"",
                            lmtrain::hex16(lmtrain::hash_text(covered)), "\",\n", covered));
  return 0;
}
