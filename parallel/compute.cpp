#include "parallel/compute.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <future>
#include <system_error>
#include <thread>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include "base/clock.h"
#include "base/error.h"
#include "base/phase.h"
#include "base/text.h"
#include "parallel/caching_allocator.h"
#include "parallel/cores.h"
#include "parallel/typed_gather.h"

namespace lmtrain {

void compute_on_one_thread() {
  at::get_num_threads();  // else LibTorch gives the thread all of the rank's at its first operation
#ifdef _OPENMP
  omp_set_num_threads(1);
#endif
}

namespace {

std::vector<int> cores_of_this_rank(Launch& launch) {
  std::vector<std::vector<int>> of_local_ranks;
  for (const std::string& list : launch.gather_on_node(core_list_text(job_cores()))) {
    of_local_ranks.push_back(parse_core_list(list));
  }
  return cores_of_rank(of_local_ranks, launch.local_rank());
}

// Without this check, a rank without a GPU would start other operations than the ranks with one,
// and all would hang.
void check_same_kind(at::Device device, Launch& launch) {
  const std::vector<int64_t> has_gpu = gather_all(launch.world(), int64_t{!device.is_cpu()});
  const std::vector<std::string> hosts = gather_texts(launch.world(), launch.host());
  const auto without = std::ranges::find(has_gpu, 0);
  const auto with = std::ranges::find(has_gpu, 1);
  if (without == has_gpu.end() || with == has_gpu.end()) return;
  const auto place = [&](auto found) {
    const auto rank = static_cast<size_t>(found - has_gpu.begin());
    return cat("rank ", rank, " on ", hosts[rank]);
  };
  throw CollectiveError(ExitCode::kConfig,
                        cat(place(without), " sees no GPU, but ", place(with),
                            " does (parallel.device = auto); "
                            "lmtrain doctor on the first says why, or set parallel.device=cpu"));
}

// Many more threads than cores take turns for so long that no step ends.
constexpr int kMostThreadsPerCore = 4;

void require_few_threads(const Compute& compute) {
  const auto cores = static_cast<int>(compute.cores.size());
  if (compute.num_threads <= kMostThreadsPerCore * cores) return;
  throw ConfigError(cat("parallel.threads = ", compute.num_threads, ", but this rank has ",
                        counted(cores, "core"), "; make it at most ", kMostThreadsPerCore * cores,
                        ", or 0 for one thread on each core"));
}

// A library whose pool gets too few threads waits for the others for ever, so that they are asked
// for here first.
void require_threads(int count) {
  std::vector<std::thread> threads;
  std::promise<void> end;
  const std::shared_future<void> ended = end.get_future().share();
  std::string failure;
  try {
    while (static_cast<int>(threads.size()) < count)
      threads.emplace_back([ended] { ended.wait(); });
  } catch (const std::system_error& error) {
    failure = error.code().message();
  }
  end.set_value();
  const size_t num_made = threads.size();
  for (std::thread& thread : threads) thread.join();
  if (failure.empty()) return;
  throw Error(
      ExitCode::kFailure,
      cat("this rank needs ", count, " threads, and the system gives it ", num_made, " (", failure,
          "); raise the limit (ulimit -u, or the pids limit of its container), or "
          "lower parallel.threads"));
}

}  // namespace

Compute set_up_compute(const ParallelConfig& config, Launch& launch) {
  Compute compute;
  compute.cores = cores_of_this_rank(launch);
  bind_to_cores(compute.cores);
  compute.num_threads = config.threads > 0 ? static_cast<int>(config.threads)
                                           : static_cast<int>(compute.cores.size());
  // Ranks of a tensor axis must compute some gradients identically, and the order of LibTorch's
  // sums depends on the number of threads.
  if (config.tensor > 1 || config.layout == LayoutMode::kAuto) {
    const at::Tensor fewest = at::tensor({int64_t{-compute.num_threads}}, at::kLong);
    launch.world().all_reduce(fewest, ReduceOp::kMax)->wait();
    compute.num_threads = static_cast<int>(-fewest.item<int64_t>());
  }
  launch.together([&] {
    require_few_threads(compute);
    constexpr int kOthers = 8;  // of the power logger, the loaders and the libraries
    require_threads(compute.num_threads + kOthers);
  });
  at::set_num_threads(compute.num_threads);
  launch.together([&] {
    compute.device = choose_device(config.device, launch);
    if (compute.device.device.is_cpu() && config.transport == Transport::kNccl) {
      throw ConfigError(
          "parallel.transport = nccl, but tensors are on the CPU (parallel.device); leave it out");
    }
  });
  check_same_kind(compute.device.device, launch);
  note_sharing(compute.device, launch);
  if (compute.device.device.is_cpu()) install_caching_allocator();
  // cuBLAS is deterministic only with a fixed workspace; LibTorch refuses to run it without one.
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/false);
  // Filling fresh memory costs time and changes no result.
  at::globalContext().setDeterministicFillUninitializedMemory(false);
  return compute;
}

namespace {

// Of the time in which its threads could compute, a rank that has its cores to itself gets nearly
// all.
constexpr double kShareOfOwnCores = 0.9;

MatmulCeiling measure_once(const at::Tensor& factor) {
  constexpr double kBudgetSeconds = 0.2;
  const bool is_cpu = factor.device().is_cpu();
  const auto n = static_cast<double>(factor.size(0));
  MatmulCeiling ceiling;
  const double start = monotonic_seconds();
  const double cpu_start = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
  while (monotonic_seconds() - start < kBudgetSeconds) {
    const double begin = monotonic_seconds();
    const at::Tensor product = at::mm(factor, factor);
    if (!is_cpu) product[0][0].item<double>();  // waits for the device
    ceiling.flops = std::max(ceiling.flops, 2.0 * n * n * n / (monotonic_seconds() - begin));
  }
  const double possible = (monotonic_seconds() - start) * at::get_num_threads();
  ceiling.is_believed =
      !is_cpu || clock_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_start >= kShareOfOwnCores * possible;
  return ceiling;
}

}  // namespace

int64_t size_to_measure(const std::function<double(int64_t)>& seconds_of) {
  constexpr int64_t kSmallest = 128;
  constexpr int64_t kLargest = 1024;
  constexpr double kLongestSeconds = 0.1;
  int64_t n = kSmallest;
  while (n < kLargest && 8 * seconds_of(n) <= kLongestSeconds) n *= 2;
  return n;
}

MatmulCeiling measure_matmul_ceiling(at::ScalarType type, at::Device device) {
  constexpr int kTries = 3;
  // The factors are not all ones: a GPU multiplies numbers with few set bits faster than the
  // numbers of a model.
  const auto factor_of = [&](int64_t n) {
    return at::arange(n * n, at::TensorOptions().dtype(at::kFloat).device(device))
        .sin_()
        .view({n, n})
        .to(type);
  };
  const auto seconds_of = [&](int64_t n) {
    const at::Tensor factor = factor_of(n);
    at::mm(factor, factor);   // the threads start, and the library prepares its kernels
    double least = HUGE_VAL;  // one of them may have been interrupted
    for (int i = 0; i < 3; ++i) {
      const double begin = monotonic_seconds();
      at::mm(factor, factor);
      least = std::min(least, monotonic_seconds() - begin);
    }
    return least;
  };
  const at::Tensor factor = factor_of(device.is_cpu() ? size_to_measure(seconds_of) : 8192);
  at::mm(factor, factor);
  MatmulCeiling best;
  for (int i = 0; i < kTries; ++i) {
    const MatmulCeiling ceiling = measure_once(factor);
    best.flops = std::max(best.flops, ceiling.flops);
    best.is_believed = ceiling.is_believed;
    if (best.is_believed) break;
  }
  return best;
}

}  // namespace lmtrain
