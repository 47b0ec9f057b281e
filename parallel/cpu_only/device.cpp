#include "parallel/device.h"

#include "base/error.h"

namespace lmtrain {

RankDevice choose_device(DeviceChoice wanted, const Launch&) {
  if (wanted == DeviceChoice::kCuda) {
    throw ConfigError(
        "parallel.device = cuda, but this lmtrain was built without CUDA; "
        "build the cuda preset (docs/install.md) or set parallel.device=auto");
  }
  return {at::kCPU, "CPU", "", std::nullopt, false};
}

std::unique_ptr<Communicator> make_device_communicator(Launch&, const RankDevice&, Transport) {
  return nullptr;
}

std::vector<std::string> describe_accelerators() {
  return {"this lmtrain was built without CUDA: GPUs are not used (docs/install.md, preset cuda)"};
}

}  // namespace lmtrain
