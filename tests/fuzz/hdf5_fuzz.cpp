// HDF5: from any bytes a tensor of the expected shape is read, or a CheckpointError is thrown.
#include <ATen/ATen.h>

#include "base/error.h"
#include "tests/fuzz/file_of_bytes.h"
#include "trainer/checkpoint/hdf5_tensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::filesystem::path path = lmtrain::file_of_bytes(data, size, "x.h5");
  for (const char* group : {"weights", "exp_avg", "exp_avg_sq"}) {
    for (const char* name : {"table", "weight"}) {
      try {
        at::Tensor tensor = at::empty({3, 2}, at::kFloat);
        lmtrain::Hdf5Reader(path).read(group, name, tensor);
      } catch (const lmtrain::CheckpointError&) {
      }
    }
  }
  return 0;
}
