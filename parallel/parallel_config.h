// Config section `parallel`.
#pragma once

#include <cstdint>
#include <string>

#include "base/config_fields.h"

namespace lmtrain {

struct ParallelConfig {
  int64_t tensor = 1;
  int64_t zero = 0;
  double bucket_mib = 25.0;
  int64_t threads = 0;
  double timeout_seconds = 1800;
  std::string device = "auto";
  std::string transport = "auto";
  bool check = false;

  void describe(Fields& f) {
    f.integer("tensor", tensor, {.min = 1, .max = 1 << 16},
              "Ranks that share one model (tensor parallelism); data-parallel ranks = ranks / "
              "tensor. Reserved: 1.");
    f.integer("zero", zero, {.min = 0, .max = 3},
              "Stage of sharded data parallelism (ZeRO). Reserved: 0.");
    f.real("bucket_mib", bucket_mib, {.min = 0.001, .max = 65536.0},
           "MiB of gradients that are reduced together while backward goes on.");
    f.integer("threads", threads, {.min = 0, .max = 4096},
              "Compute threads of a rank; 0 takes its share of the cores that the job may use.");
    f.real("timeout_seconds", timeout_seconds, {.min = 0.0, .max = 1e9},
           "Seconds that a rank waits for the others, over MPI, before the job ends with 76; 0 "
           "waits for ever.");
    f.choice("device", device, {"auto", "cpu", "cuda"},
             "Where tensors live; auto takes a GPU where there is one.");
    f.choice("transport", transport, {"auto", "nccl", "mpi"},
             "What moves tensors between GPUs: nccl, which takes one rank on each, or mpi through "
             "host memory; auto takes nccl where every rank has a GPU of its own.");
    f.boolean(
        "check", check,
        "Debug mode: before each collective the ranks compare what they are about to do, and a "
        "mismatch is named. Slow.");
  }
};

}  // namespace lmtrain
