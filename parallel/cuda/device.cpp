#include "parallel/device.h"

#include <array>
#include <cstdio>

#include <c10/cuda/CUDAFunctions.h>
#include <cuda_runtime_api.h>
#include <nccl.h>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "parallel/cuda/nccl_communicator.h"
#include "parallel/staged_communicator.h"

namespace lmtrain {
namespace {

cudaDeviceProp properties_of(int device) {
  cudaDeviceProp properties = {};
  if (cudaGetDeviceProperties(&properties, device) != cudaSuccess)
    throw IoError(cat("GPU ", device, " does not answer"));
  return properties;
}

// Returns text like "GPU-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", as the driver's tools name the GPU.
std::string uuid_text(const cudaUUID_t& uuid) {
  std::string text = "GPU-";
  for (int i = 0; i < 16; ++i) {
    std::array<char, 3> digits{};
    std::snprintf(digits.data(), digits.size(), "%02x", static_cast<unsigned char>(uuid.bytes[i]));
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += digits.data();
  }
  return text;
}

}  // namespace

RankDevice choose_device(DeviceChoice wanted, const Launch& launch) {
  const int count = c10::cuda::device_count();
  if (wanted == DeviceChoice::kCpu || (wanted == DeviceChoice::kAuto && count == 0))
    return {at::kCPU, "CPU", "", std::nullopt, false};
  if (count == 0)
    throw ConfigError("parallel.device = cuda, but no GPU is visible (lmtrain doctor says more)");
  const int index = launch.local_rank() % count;
  c10::cuda::set_device(static_cast<c10::DeviceIndex>(index));
  const cudaDeviceProp properties = properties_of(index);
  size_t free = 0;
  size_t total = 0;
  if (cudaMemGetInfo(&free, &total) != cudaSuccess)
    throw IoError(cat("GPU ", index, " does not tell its memory"));
  return {at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(index)), properties.name,
          uuid_text(properties.uuid), static_cast<int64_t>(free), false};
}

std::unique_ptr<Communicator> make_device_communicator(Launch& launch, const RankDevice& device,
                                                       Transport transport) {
  if (device.device.is_cpu()) return nullptr;
  if (launch.size() == 1) return make_single_communicator();
  const bool is_shared = launch.any(device.is_shared);
  if (is_shared && transport == Transport::kNccl) {
    throw CollectiveError(ExitCode::kConfig,
                          "parallel.transport = nccl, but a node has more ranks than GPUs, "
                          "and NCCL takes one rank on each; "
                          "start fewer ranks a node, or set parallel.transport=auto");
  }
  if (is_shared || transport == Transport::kMpi) return make_staged_communicator(launch.world());
  return make_nccl_communicator(launch.world(), device.device.index(),
                                [&launch](const std::string& failure) {
                                  log_error(failure);
                                  launch.abort(ExitCode::kHang);
                                });
}

std::vector<std::string> describe_accelerators() {
  int nccl = 0;
  ncclGetVersion(&nccl);
  int driver = 0;
  cudaDriverGetVersion(&driver);
  std::vector<std::string> lines = {cat("NCCL ", nccl, ", CUDA driver ", driver)};
  const int count = c10::cuda::device_count();
  if (count == 0)
    lines.push_back("no GPU is visible: no NVIDIA driver, or CUDA_VISIBLE_DEVICES hides them");
  for (int i = 0; i < count; ++i) {
    const cudaDeviceProp p = properties_of(i);
    lines.push_back(cat(i, ": ", p.name, ", ", human_bytes(static_cast<int64_t>(p.totalGlobalMem)),
                        ", sm_", p.major, p.minor, ", ", uuid_text(p.uuid)));
  }
  return lines;
}

}  // namespace lmtrain
