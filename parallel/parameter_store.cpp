#include "parallel/parameter_store.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "base/philox.h"
#include "parallel/parameter_kernels.h"

namespace lmtrain {
namespace {

constexpr int64_t kAlignment = 64;

int64_t numel_of(const std::vector<int64_t>& shape) {
  int64_t numel = 1;
  for (const int64_t size : shape) numel *= size;
  return numel;
}

int64_t aligned(int64_t numel) { return (numel + kAlignment - 1) / kAlignment * kAlignment; }

// Draws this rank's part of a normal tensor: element i of the logical tensor is number i of the
// stream.
void draw_normal(const ParameterSpec& spec, uint64_t seed, at::Tensor& out) {
  const std::vector<int64_t> local = spec.local_shape();
  const auto dim = static_cast<size_t>(std::max(spec.shard_dim, 0));
  int64_t inner = 1;
  for (size_t d = dim + 1; d < local.size(); ++d) inner *= local[d];
  const int64_t run = local[dim] * inner;  // contiguous in the logical tensor
  const int64_t full_run = spec.padded_shape[dim] * inner;
  const int64_t logical = numel_of(spec.logical_shape);
  const PhiloxKey key = purpose_key(seed, "init " + spec.name);
  // Piece by piece: numbers in double of a whole table would be the largest tensor of the process.
  constexpr int64_t kPiece = 1 << 20;
  constexpr int64_t kGrain = 1 << 14;
  const at::Tensor values = at::empty({std::min(kPiece, out.numel())}, at::kDouble);
  double* const to = values.data_ptr<double>();
  for (int64_t first = 0; first < out.numel(); first += kPiece) {
    const int64_t count = std::min(kPiece, out.numel() - first);
    at::parallel_for(first, first + count, kGrain, [&](int64_t begin, int64_t end) {
      for (int64_t at = begin; at < end;) {
        const int64_t outer = at / run;
        const int64_t stop = std::min(end, (outer + 1) * run);
        const int64_t from = outer * full_run + spec.shard_index * run + (at - outer * run);
        const int64_t drawn = std::clamp<int64_t>(logical - from, 0, stop - at);
        fill_normal(key, from, drawn, to + at - first);
        std::fill(to + at - first + drawn, to + stop - first, 0.0);  // padded rows
        at = stop;
      }
    });
    out.view({-1}).narrow(0, first, count).copy_(values.narrow(0, 0, count).mul_(spec.init_std));
  }
}

}  // namespace

std::vector<int64_t> ParameterSpec::local_shape() const {
  std::vector<int64_t> shape = padded_shape;
  if (shard_dim >= 0) shape[static_cast<size_t>(shard_dim)] /= num_shards;
  return shape;
}

void Parameter::add_gradient(const at::Tensor& contribution) {
  if (gradient_is_set_) {
    gradient_.add_(contribution.view_as(gradient_));
  } else {
    gradient_.copy_(contribution.view_as(gradient_));
    gradient_is_set_ = true;
  }
}

void Parameter::add_product(const at::Tensor& a, const at::Tensor& b) {
  const bool widens = a.scalar_type() != gradient_.scalar_type();
  at::Tensor gradient = gradient_.view({a.size(0), b.size(1)});
  if (widens && gradient.is_cpu()) {
    at::Tensor product = unit_->store_->scratch(gradient.sizes());
    at::mm_out(product, a, b);
    add_gradient(product);
    return;
  }
  if (gradient_is_set_) {
    widens ? at::addmm_out(gradient, gradient, a, b, gradient.scalar_type())
           : at::addmm_out(gradient, gradient, a, b);
  } else {
    widens ? at::mm_out(gradient, a, b, gradient.scalar_type()) : at::mm_out(gradient, a, b);
  }
  gradient_is_set_ = true;
}

void Parameter::add_gradient_at(const at::Tensor& ids, const at::Tensor& rows) {
  if (!gradient_is_set_) gradient_.zero_();
  gradient_is_set_ = true;
  if (gradient_.is_cuda()) {
    cuda_add_rows(gradient_, ids, rows.contiguous());
  } else {
    gradient_.index_add_(0, ids, rows.to(gradient_.scalar_type()));
  }
}

void Parameter::report_use() { unit_->store_->report_use(*unit_); }

ParameterStore::ParameterStore(at::ScalarType compute_type, at::Device device)
    : compute_type_(compute_type),
      master_type_(compute_type == at::kDouble ? at::kDouble : at::kFloat),
      device_(device) {}

ParameterUnit& ParameterStore::add_unit(const std::string& name) {
  units_.push_back(std::make_unique<ParameterUnit>());
  units_.back()->name_ = name;
  units_.back()->store_ = this;
  return *units_.back();
}

Parameter& ParameterStore::add(ParameterUnit& unit, ParameterSpec spec) {
  if (spec.padded_shape.empty()) spec.padded_shape = spec.logical_shape;
  unit.parameters_.push_back(std::make_unique<Parameter>());
  Parameter& parameter = *unit.parameters_.back();
  parameter.spec_ = std::move(spec);
  parameter.unit_ = &unit;
  parameters_.push_back(&parameter);
  return parameter;
}

void ParameterStore::allocate(uint64_t seed, StoreUse use) {
  const auto options = at::TensorOptions().dtype(master_type_).device(device_);
  for (const auto& unit : units_) {
    for (const bool decayed : {true, false}) {
      for (const auto& parameter : unit->parameters_) {
        if (parameter->spec_.weight_decay != decayed) continue;
        parameter->offset_ = unit->numel_;
        unit->numel_ += aligned(numel_of(parameter->spec_.local_shape()));
      }
      if (decayed) unit->num_decayed_ = unit->numel_;
    }
    unit->master_ = at::zeros({unit->numel_}, options);
    unit->compute_ = compute_type_ == master_type_
                         ? unit->master_
                         : at::zeros({unit->numel_}, options.dtype(compute_type_));
    if (use == StoreUse::kTraining) {
      unit->gradient_ = at::zeros({unit->numel_}, options);
      unit->exp_avg_ = at::zeros({unit->numel_}, options);
      unit->exp_avg_sq_ = at::zeros({unit->numel_}, options);
    }
    for (const auto& parameter : unit->parameters_) {
      const std::vector<int64_t> shape = parameter->spec_.local_shape();
      const auto view = [&](const at::Tensor& buffer) {
        if (!buffer.defined()) return at::Tensor();
        return buffer.narrow(0, parameter->offset_, numel_of(shape)).view(shape);
      };
      parameter->master_ = view(unit->master_);
      parameter->compute_ = view(unit->compute_);
      parameter->gradient_ = view(unit->gradient_);
      parameter->exp_avg_ = view(unit->exp_avg_);
      parameter->exp_avg_sq_ = view(unit->exp_avg_sq_);
      if (use == StoreUse::kInference) continue;
      if (parameter->spec_.init == Init::kOnes) parameter->master_.fill_(1.0);
      if (parameter->spec_.init == Init::kNormal)
        draw_normal(parameter->spec_, seed, parameter->master_);
    }
  }
  refresh_compute();
}

int64_t ParameterStore::num_logical_elements() const {
  int64_t total = 0;
  for (const Parameter* parameter : parameters_) total += numel_of(parameter->spec_.logical_shape);
  return total;
}

void ParameterStore::begin_step() {
  for (Parameter* parameter : parameters_) parameter->gradient_is_set_ = false;
}

void ParameterStore::begin_micro_batch(bool is_last) {
  announces_ = is_last;
  for (const auto& unit : units_) {
    unit->uses_outstanding_ = 0;
    for (const auto& parameter : unit->parameters_) {
      unit->uses_outstanding_ += parameter->spec_.uses_per_micro_batch;
    }
  }
}

void ParameterStore::report_use(ParameterUnit& unit) {
  TORCH_CHECK(unit.uses_outstanding_ > 0, "unit ", unit.name_, " reported more uses than it has");
  --unit.uses_outstanding_;
  if (unit.uses_outstanding_ == 0 && announces_ && on_unit_ready) on_unit_ready(unit);
}

void ParameterStore::refresh_compute() {
  if (compute_type_ == master_type_) return;
  for (const auto& unit : units_) unit->compute_.copy_(unit->master_);
}

at::Tensor ParameterStore::scratch(at::IntArrayRef shape) {
  const int64_t numel = c10::multiply_integers(shape);
  if (!scratch_.defined() || scratch_.numel() < numel) {
    scratch_ = at::empty({numel}, at::TensorOptions().dtype(compute_type_).device(device_));
  }
  return scratch_.narrow(0, 0, numel).view(shape);
}

}  // namespace lmtrain
