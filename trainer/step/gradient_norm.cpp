#include "trainer/step/gradient_norm.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "parallel/parameter_kernels.h"

namespace lmtrain {
namespace {

// Number of elements of a unit whose squares are summed together. A stretch lies within one shard,
// so one rank sums it for any sharding.
constexpr int64_t kStretch = kShardAlignment;

double sum_of_stretch(const float* values, int64_t count) {
  constexpr int kLanes = 16;
  double lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const auto x = static_cast<double>(values[i + lane]);
      lanes[lane] += x * x;
    }
  }
  for (; i < count; ++i)
    lanes[0] += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  double total = 0;
  for (const double lane : lanes) total += lane;
  return total;
}

double sum_of_stretch(const double* values, int64_t count) {
  double total = 0;
  for (int64_t i = 0; i < count; ++i) total += values[i] * values[i];
  return total;
}

// Returns, on the CPU, the sums of squares of `shard` for each stretch of its whole unit, only over
// elements in [begin, end) of the unit. Stretches of other ranks are zero.
std::vector<double> sums_of_stretches(const ParameterUnit& unit, const at::Tensor& shard,
                                      int64_t begin, int64_t end) {
  const int64_t first = begin / kStretch;
  std::vector<double> sums(static_cast<size_t>((end + kStretch - 1) / kStretch - first));
  const int64_t shard_end = unit.shard_begin() + unit.shard_numel();
  const auto count = static_cast<int64_t>(sums.size());
  at::parallel_for(0, count, 16, [&](int64_t from, int64_t to) {
    for (int64_t s = from; s < to; ++s) {
      const int64_t low = std::max({begin, (first + s) * kStretch, unit.shard_begin()});
      const int64_t high = std::min({end, (first + s + 1) * kStretch, shard_end});
      if (low >= high) continue;
      const int64_t at = low - unit.shard_begin();
      sums[static_cast<size_t>(s)] = shard.scalar_type() == at::kDouble
                                         ? sum_of_stretch(shard.data_ptr<double>() + at, high - low)
                                         : sum_of_stretch(shard.data_ptr<float>() + at, high - low);
    }
  });
  return sums;
}

double total(const std::vector<double>& sums) {
  double all = 0;
  for (const double sum : sums) all += sum;
  return all;
}

// Returns the sum of squares of this rank's shard of a buffer for each unit, computed on the
// device. Waits for the device once.
at::Tensor device_sums_by_unit(const ParameterStore& store, const char* buffer) {
  std::vector<at::Tensor> sums;
  for (const auto& unit : store.units()) {
    if (!unit->is_frozen()) sums.push_back(cuda_sum_of_squares(unit->whole_shard(buffer)));
  }
  return at::cat(sums).cpu();
}

// The same for the reduced gradients, with one sum for each parameter.
at::Tensor device_sums_by_parameter(const ParameterStore& store) {
  std::vector<at::Tensor> sums;
  for (const Parameter* parameter : store.parameters()) {
    if (!parameter->is_trained()) {
      sums.push_back(at::zeros({1}, at::TensorOptions(at::kDouble).device(store.device())));
      continue;
    }
    const Parameter::Span span = parameter->span_in_shard();
    const at::Tensor mine = parameter->unit().reduced_gradient().narrow(0, span.begin, span.count);
    sums.push_back(span.count > 0 ? cuda_sum_of_squares(mine)
                                  : at::zeros({1}, mine.options().dtype(at::kDouble)));
  }
  return at::cat(sums).cpu();
}

// Returns the sum of squares of each parameter's reduced gradient over the data axis, on the CPU.
at::Tensor host_sums_by_parameter(const ParameterStore& store, Communicator& host_data) {
  std::vector<double> stretches;
  std::vector<size_t> counts;
  for (const Parameter* parameter : store.parameters()) {
    if (!parameter->is_trained()) {
      counts.push_back(0);
      continue;
    }
    const ParameterUnit& unit = parameter->unit();
    const std::vector<double> sums =
        sums_of_stretches(unit, unit.reduced_gradient(), parameter->offset(),
                          parameter->offset() + parameter->numel());
    stretches.insert(stretches.end(), sums.begin(), sums.end());
    counts.push_back(sums.size());
  }
  const at::Tensor all = at::tensor(stretches, at::kDouble);
  // Each stretch is zero on all ranks but one.
  if (store.sharding().num_shards() > 1) host_data.all_reduce(all, ReduceOp::kSum)->wait();
  std::vector<double> by_parameter;
  const double* at = all.data_ptr<double>();
  for (const size_t count : counts) {
    by_parameter.push_back(total({at, at + count}));
    at += count;
  }
  return at::tensor(by_parameter, at::kDouble);
}

// Returns the sums over the data axis for each parameter; on a GPU without `is_cut`, for each unit,
// which takes fewer kernel launches.
at::Tensor gradient_sums(const ParameterStore& store, Communicator& host_data, bool is_cut) {
  if (!store.device().is_cuda()) return host_sums_by_parameter(store, host_data);
  const at::Tensor sums =
      is_cut ? device_sums_by_parameter(store) : device_sums_by_unit(store, kGradient);
  if (store.sharding().num_shards() > 1) host_data.all_reduce(sums, ReduceOp::kSum)->wait();
  return sums;
}

}  // namespace

double gradient_norm(const ParameterStore& store, Communicator& host_data,
                     Communicator& host_tensor) {
  const bool is_cut = host_tensor.size() > 1;
  const at::Tensor sums = gradient_sums(store, host_data, is_cut);
  double* const values = sums.data_ptr<double>();
  if (is_cut) {
    // A parameter that every rank of the tensor axis holds whole counts once.
    for (size_t i = 0; i < store.parameters().size(); ++i) {
      if (host_tensor.rank() > 0 && !store.parameters()[i]->spec().is_cut()) values[i] = 0;
    }
    host_tensor.all_reduce(sums, ReduceOp::kSum)->wait();
  }
  return std::sqrt(total({values, values + sums.numel()}));
}

}  // namespace lmtrain
