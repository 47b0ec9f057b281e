#include "parallel/gradient_sync.h"

#include <algorithm>

#include <ATen/ATen.h>

namespace lmtrain {
namespace {

// The number of reductions that may be under way where make_room() bounds them.
constexpr size_t kMostUnderWay = 2;

bool is_partial(const Parameter& parameter) {
  const auto& axes = parameter.spec().gradient_axes;
  return std::find(axes.begin(), axes.end(), MeshAxis::kTensor) != axes.end();
}

// Calls visit(parameter) for the parameters of the unit that are summed over the tensor axis.
template <class Visit>
void for_each_partial(const ParameterUnit& unit, Visit visit) {
  for (const auto& parameter : unit.parameters()) {
    if (is_partial(*parameter)) visit(*parameter);
  }
}

}  // namespace

GradientSync::GradientSync(ParameterStore& store, Communicator& data, Communicator& tensor,
                           GradientSyncOptions options)
    : store_(store), data_(data), tensor_(tensor), options_(options) {
  store_.on_unit_ready = [this](ParameterUnit& unit) { take(unit); };
}

GradientSync::~GradientSync() { store_.on_unit_ready = nullptr; }

void GradientSync::take(ParameterUnit& unit) {
  if (std::find(taken_.begin(), taken_.end(), &unit) == taken_.end()) taken_.push_back(&unit);
  finish_partial();
  const Whole whole = {&unit, unit.gradient()};
  if (store_.shards_gradients()) unit.detach_gradient();
  std::vector<at::Tensor> parts;
  if (tensor_.size() > 1) {
    for_each_partial(
        unit, [&](const Parameter& p) { parts.push_back(p.in(whole.gradient).reshape({-1})); });
  }
  if (parts.empty()) return reduce(whole);
  partial_ = {whole, at::cat(parts), nullptr};
  partial_.work = tensor_.all_reduce(partial_.packed, ReduceOp::kSum);
}

void GradientSync::finish_partial() {
  if (!partial_.work) return;
  partial_.work->wait();
  const Whole whole = partial_.whole;
  int64_t at = 0;
  for_each_partial(*whole.unit, [&](const Parameter& p) {
    at::Tensor gradient = p.in(whole.gradient);
    gradient.copy_(partial_.packed.narrow(0, at, p.numel()).view_as(gradient));
    at += p.numel();
  });
  partial_ = {};
  reduce(whole);
}

void GradientSync::reduce(const Whole& whole) {
  if (data_.size() == 1) return;
  if (store_.sharding().num_shards() == 1) return reduce_in_buckets(whole);
  reduce_to_shard(whole);
}

void GradientSync::reduce_in_buckets(const Whole& whole) {
  const int64_t most = std::max<int64_t>(
      1, options_.bucket_bytes / static_cast<int64_t>(whole.gradient.element_size()));
  for (int64_t begin = 0; begin < whole.gradient.numel(); begin += most) {
    const at::Tensor bucket =
        whole.gradient.narrow(0, begin, std::min(most, whole.gradient.numel() - begin));
    make_room();
    const at::Tensor moved =
        bucket.to(options_.type);  // the bucket itself where the type is the same
    reductions_.push_back({whole.unit, moved, bucket, data_.all_reduce(moved, ReduceOp::kSum)});
  }
}

void GradientSync::reduce_to_shard(const Whole& whole) {
  make_room();
  const ParameterUnit& unit = *whole.unit;
  const at::Tensor moved = whole.gradient.to(options_.type);
  const at::Tensor shard = moved.narrow(0, unit.shard_begin(), unit.shard_numel());
  const at::Tensor destination = store_.shards_gradients() ? at::Tensor() : unit.reduced_gradient();
  reductions_.push_back({whole.unit, shard, destination, data_.reduce_scatter(shard, moved)});
}

void GradientSync::make_room() {
  const bool is_bounded = store_.shards_gradients() || options_.type != store_.master_type();
  if (is_bounded && reductions_.size() >= kMostUnderWay) finish_oldest();
}

void GradientSync::finish_oldest() {
  Reduction& oldest = reductions_.front();
  oldest.work->wait();
  if (!oldest.destination.defined()) {
    oldest.unit->accept_reduced(oldest.result);
  } else if (oldest.destination.data_ptr() != oldest.result.data_ptr()) {
    oldest.destination.copy_(oldest.result);
  }
  reductions_.pop_front();
}

void GradientSync::finish_all() {
  finish_partial();
  while (!reductions_.empty()) finish_oldest();
}

void GradientSync::finish_micro_batch() {
  if (store_.shards_gradients()) finish_all();
}

void GradientSync::finish() {
  for (const auto& unit : store_.units()) {
    if (unit->is_frozen()) continue;
    const bool taken = std::find(taken_.begin(), taken_.end(), unit.get()) != taken_.end();
    TORCH_CHECK(taken, "backward did not reach all uses of unit ", unit->name());
  }
  finish_all();
  taken_.clear();
}

}  // namespace lmtrain
