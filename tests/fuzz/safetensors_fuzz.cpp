// Safetensors: any bytes are tensors within the file or a DataError.
#include <ATen/ATen.h>

#include "base/error.h"
#include "models/huggingface/safetensors.h"
#include "tests/fuzz/file_of_bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto path = lmtrain::file_of_bytes(data, size, "x.safetensors");
  try {
    const lmtrain::SafetensorsFile file(path);
    for (const auto& [name, entry] : file.entries()) file.read(name);
  } catch (const lmtrain::Error&) {
  }
  return 0;
}
