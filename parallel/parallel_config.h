// Config section `parallel`.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/config_fields.h"
#include "parallel/recompute.h"

namespace lmtrain {

// Who decides how the ranks share the work: the config's keys, or the estimates of all layouts.
enum class LayoutMode { kManual, kAuto };
constexpr auto choice_names(LayoutMode) {
  return std::to_array<std::string_view>({"manual", "auto"});
}

enum class ReduceType { kFp32, kBf16 };
constexpr auto choice_names(ReduceType) {
  return std::to_array<std::string_view>({"fp32", "bf16"});
}

enum class DeviceChoice { kAuto, kCpu, kCuda };
constexpr auto choice_names(DeviceChoice) {
  return std::to_array<std::string_view>({"auto", "cpu", "cuda"});
}

enum class Transport { kAuto, kNccl, kMpi };
constexpr auto choice_names(Transport) {
  return std::to_array<std::string_view>({"auto", "nccl", "mpi"});
}

struct ParallelConfig {
  LayoutMode layout = LayoutMode::kManual;
  int64_t tensor = 1;
  bool sequence = false;
  int64_t zero = 0;
  Recompute recompute = Recompute::kNone;
  ReduceType reduce_type = ReduceType::kFp32;
  double bucket_mib = 25.0;
  int64_t threads = 0;
  double hang_seconds = 30;
  double timeout_seconds = 1800;
  DeviceChoice device = DeviceChoice::kAuto;
  Transport transport = Transport::kAuto;
  bool check = false;

  void describe(Fields& f) {
    f.choice("layout", layout,
             "Who chooses tensor, sequence, zero and recompute: manual takes the config's, "
             "auto those of the fastest layout of lmtrain layouts that fits into memory. "
             "`parallel: auto` is short for it.");
    f.integer("tensor", tensor, {.min = 1, .max = 1 << 16},
              "Ranks that share one model: "
              "attention heads, feed-forward width and vocabulary are cut over them "
              "(tensor parallelism; Megatron-LM). "
              "Data-parallel ranks = ranks / tensor.")
        .warned_on_resume();
    f.boolean("sequence", sequence,
              "Sequence parallelism: the ranks of tensor also share the tokens of norms, dropout "
              "and residuals, which takes less memory and sends as many bytes.")
        .warned_on_resume();
    f.integer("zero", zero, {.min = 0, .max = 3},
              "What is sharded over the data-parallel ranks (ZeRO): "
              "1 optimizer state and master weights, 2 also gradients, "
              "3 also the weights that layers use.");
    f.choice("recompute", recompute,
             "What the backward pass computes a second time so that it need not be kept in memory: "
             "none; selective: attention between its projections; full: whole blocks.");
    f.choice("reduce_type", reduce_type,
             "Type in which gradients are sent between data-parallel ranks. "
             "In a run of fp64, fp32 means fp64.")
        .warned_on_resume();
    f.real("bucket_mib", bucket_mib, {.min = 0.001, .max = 65536.0},
           "With zero 0: MiB of gradients that are summed over the ranks in one operation, "
           "while the backward pass goes on.");
    f.integer("threads", threads, {.min = 0, .max = 4096},
              "Compute threads of a rank; 0 takes its share of the cores that the job may use.");
    f.real(
        "hang_seconds", hang_seconds, {.min = 0.0, .max = 1e9},
        "Seconds without progress, at the least, after which a rank of several counts as hung and "
        "the job ends with exit code 76: so long or three times what its phase took before. 0 "
        "ends no job.");
    f.real("timeout_seconds", timeout_seconds, {.min = 0.0, .max = 1e9},
           "Seconds that a rank waits for the others over MPI, at the most, whatever they seem to "
           "do; then the job ends with exit code 76. 0 waits for ever.");
    f.choice("device", device, "Where tensors live; auto takes a GPU where there is one.");
    f.choice("transport", transport,
             "What moves tensors between GPUs: "
             "nccl, which takes one rank on each, or mpi through host memory; "
             "auto takes nccl where every rank has a GPU of its own.");
    f.boolean("check", check,
              "Debug mode: before each collective operation the ranks compare what they are about "
              "to do, and an error names a difference. It is slow.");
  }
};

}  // namespace lmtrain
