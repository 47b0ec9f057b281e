#include "trainer/planning/choose_precision.h"

#include <ATen/ATen.h>

#include "base/log.h"
#include "base/text.h"
#include "parallel/typed_gather.h"

namespace lmtrain {
namespace {

// Operations per second, of one rank or of all.
struct MatmulSpeeds {
  double bf16 = 0;
  double fp32 = 0;
};

MatmulSpeeds measure(at::Device device) {
  return {measure_matmul_ceiling(at::kBFloat16, device).flops,
          measure_matmul_ceiling(at::kFloat, device).flops};
}

Precision faster(const MatmulSpeeds& speeds) {
  return speeds.bf16 > speeds.fp32 ? Precision::kBf16 : Precision::kFp32;
}

std::string gigaflops(double flops) {
  return cat(with_commas(static_cast<int64_t>(flops / 1e9)), " GFLOP/s");
}

}  // namespace

void choose_precision(Config& config, std::optional<Precision> of_checkpoint,
                      const Compute& compute, Launch& launch) {
  if (config.train.precision != Precision::kAuto) return;
  const auto known = static_cast<Precision>(broadcast_from(
      launch.world(), 0, static_cast<int64_t>(of_checkpoint.value_or(Precision::kAuto))));
  if (known != Precision::kAuto) {
    config.train.precision = known;
    if (launch.rank() == 0)
      log_info(cat("train.precision = auto: ", known, ", which the checkpoint has"));
    return;
  }
  MatmulSpeeds all;
  for (const MatmulSpeeds& one : gather_all(launch.world(), measure(compute.device.device))) {
    all.bf16 += one.bf16;
    all.fp32 += one.fp32;
  }
  config.train.precision = faster(all);
  if (launch.rank() != 0) return;
  log_info(cat("train.precision = auto: ", config.train.precision,
               " is the faster here; matrix products reach ", gigaflops(all.bf16), " in bf16 and ",
               gigaflops(all.fp32), " in fp32"));
}

Precision faster_precision(at::Device device) { return faster(measure(device)); }

}  // namespace lmtrain
