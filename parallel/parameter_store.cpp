#include "parallel/parameter_store.h"

#include <algorithm>
#include <iterator>

#include <ATen/ATen.h>
#include <sys/mman.h>

#include "parallel/parameter_kernels.h"

namespace lmtrain {
namespace {

constexpr int64_t kAlignment = 64;

int64_t rounded_up(int64_t numel, int64_t multiple) {
  return (numel + multiple - 1) / multiple * multiple;
}

// LibTorch first widens a whole operand of another type. Added a piece at a time, it stays in the
// cache.
void add_in_pieces(at::Tensor to, const at::Tensor& from) {
  constexpr int64_t kPiece = 1 << 18;
  const int64_t piece =
      to.scalar_type() == from.scalar_type() || to.is_cuda() ? to.numel() : kPiece;
  for (int64_t at = 0; at < to.numel(); at += piece) {
    const int64_t count = std::min(piece, to.numel() - at);
    to.narrow(0, at, count).add_(from.narrow(0, at, count));
  }
}

// Zeros for weights that are read from end to end for every token: in pages of 2 MB where the
// system has them, so that the processor fetches ahead over many rows.
at::Tensor zeros_in_large_pages(int64_t numel, const at::TensorOptions& options) {
  at::Tensor zeros = at::empty({numel}, options);
  if (zeros.is_cpu()) {
    constexpr uintptr_t kPage = uintptr_t{2} << 20;
    const auto begin = reinterpret_cast<uintptr_t>(zeros.data_ptr());
    const uintptr_t first = (begin + kPage - 1) / kPage * kPage;
    const uintptr_t end = (begin + zeros.nbytes()) / kPage * kPage;
    // Where it cannot be done, ordinary pages do.
    // NOLINTNEXTLINE(performance-no-int-to-ptr)
    if (first < end) madvise(reinterpret_cast<void*>(first), end - first, MADV_HUGEPAGE);
  }
  return zeros.zero_();
}

}  // namespace

const at::Tensor& Parameter::weight() const {
  unit_->store_->need_compute(*unit_);
  return compute_;
}

Parameter::Span Parameter::span_in_shard() const { return span_from(unit_->shard_begin_); }

Parameter::Span Parameter::span_in_shard_of(int data_rank) const {
  return span_from(unit_->shard_begin_of(data_rank));
}

Parameter::Span Parameter::span_from(int64_t shard_begin) const {
  const int64_t begin = std::max(offset_, shard_begin);
  const int64_t end = std::min(offset_ + numel_, shard_begin + unit_->shard_numel_);
  if (begin >= end) return {};
  return {begin - shard_begin, end - begin, begin - offset_};
}

// Where the unit is not cut, its one shard is the whole.
int64_t ParameterUnit::shard_begin_of(int data_rank) const {
  return shard_numel_ < numel_ ? data_rank * shard_numel_ : 0;
}

int64_t Parameter::aligned_numel() const { return rounded_up(numel_, kAlignment); }

bool Parameter::has_state(const std::string& name) const {
  return std::find(state_.begin(), state_.end(), name) != state_.end();
}

at::Tensor Parameter::in(const at::Tensor& whole_buffer) const {
  return whole_buffer.narrow(0, offset_, numel_).view(spec_.local_shape());
}

at::Tensor Parameter::master() const { return in(unit_->master_); }

bool Parameter::takes_gradient() const {
  return is_trained() && unit_->store_->use_ == StoreUse::kTraining;
}

void Parameter::add_gradient(const at::Tensor& contribution) {
  if (!takes_gradient()) return;
  unit_->store_->need_gradient(*unit_);
  if (gradient_is_set_) {
    add_in_pieces(gradient_.view({-1}), contribution.reshape({-1}));
  } else {
    gradient_.copy_(contribution.view_as(gradient_));
    gradient_is_set_ = true;
  }
}

void Parameter::add_product(const at::Tensor& a, const at::Tensor& b) {
  if (!takes_gradient()) return;
  unit_->store_->need_gradient(*unit_);
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
  if (!takes_gradient()) return;
  unit_->store_->need_gradient(*unit_);
  if (!gradient_is_set_) gradient_.zero_();
  gradient_is_set_ = true;
  if (gradient_.is_cuda()) {
    cuda_add_rows(gradient_, ids, rows.contiguous());
  } else {
    gradient_.index_add_(0, ids, rows.to(gradient_.scalar_type()));
  }
}

void Parameter::report_use() { unit_->store_->report_use(*unit_); }

const StateBuffer* ParameterUnit::find_state(const std::string& name) const {
  const auto found = std::find_if(state_.begin(), state_.end(),
                                  [&](const StateBuffer& buffer) { return buffer.name == name; });
  return found == state_.end() ? nullptr : &*found;
}

at::Tensor ParameterUnit::elements(const std::string& buffer, int64_t begin, int64_t count) const {
  if (buffer == kWeights) return master_.narrow(0, begin - shard_begin_, count);
  if (buffer == kGradient) return reduced_gradient_.narrow(0, begin - shard_begin_, count);
  const StateBuffer* const state = find_state(buffer);
  TORCH_CHECK(state != nullptr, "unit ", name_, " has no buffer ", buffer);
  return state->shard.narrow(0, begin - state->begin, count);
}

at::Tensor ParameterUnit::whole_shard(const std::string& buffer) const {
  const StateBuffer* const state = find_state(buffer);
  if (state == nullptr) return elements(buffer, shard_begin_, shard_numel_);
  if (state->shard.numel() == shard_numel_) return state->shard;
  at::Tensor whole = at::zeros({shard_numel_}, state->shard.options());
  whole.narrow(0, state->begin - shard_begin_, state->shard.numel()).copy_(state->shard);
  return whole;
}

void ParameterUnit::accept_reduced(const at::Tensor& shard) {
  if (reduced_is_set_) {
    reduced_gradient_.add_(shard);
  } else {
    reduced_gradient_.copy_(shard);
  }
  reduced_is_set_ = true;
}

void ParameterUnit::bind_gradient(const at::Tensor& whole) {
  gradient_ = whole;
  for (const auto& parameter : parameters_)
    parameter->gradient_ = whole.defined() ? parameter->in(whole) : at::Tensor();
}

void ParameterUnit::bind_compute(const at::Tensor& whole) {
  compute_ = whole;
  for (const auto& parameter : parameters_)
    parameter->compute_ = whole.defined() ? parameter->in(whole) : at::Tensor();
}

ParameterStore::ParameterStore(at::ScalarType compute_type, at::Device device, Sharding sharding)
    : compute_type_(compute_type),
      master_type_(compute_type == at::kDouble ? at::kDouble : at::kFloat),
      device_(device),
      sharding_(sharding) {}

ParameterStore::~ParameterStore() {
  // Buffers must outlive the gathers that write to them. An error of a gather has been thrown where
  // it mattered.
  for (const auto& unit : units_) {
    try {
      finish_gather(*unit);
    } catch (...) {  // NOLINT(bugprone-empty-catch)
    }
  }
}

ParameterUnit& ParameterStore::add_unit(const std::string& name, bool read_in_backward) {
  units_.push_back(std::make_unique<ParameterUnit>());
  units_.back()->name_ = name;
  units_.back()->index_ = units_.size() - 1;
  units_.back()->read_in_backward_ = read_in_backward;
  units_.back()->store_ = this;
  return *units_.back();
}

Parameter& ParameterStore::add(ParameterUnit& unit, ParameterSpec spec) {
  if (spec.padded_shape.empty()) spec.padded_shape = spec.logical_shape;
  unit.parameters_.push_back(std::make_unique<Parameter>());
  Parameter& parameter = *unit.parameters_.back();
  parameter.spec_ = std::move(spec);
  parameter.numel_ = parameter.spec_.local_numel();
  parameter.unit_ = &unit;
  parameters_.push_back(&parameter);
  return parameter;
}

void ParameterStore::change_specs(const SpecChange& change) {
  if (!change) return;
  std::vector<std::unique_ptr<ParameterUnit>> units;
  for (size_t i = 0; i < units_.size(); ++i) {
    ParameterUnit& unit = *units_[i];
    auto& parameters = unit.parameters_;
    for (const auto& parameter : parameters) change(i, units_.size(), parameter->spec_);
    const auto frozen =
        std::stable_partition(parameters.begin(), parameters.end(),
                              [](const auto& parameter) { return parameter->is_trained(); });
    unit.is_frozen_ = frozen == parameters.begin();
    units.push_back(std::move(units_[i]));
    if (unit.is_frozen_ || frozen == parameters.end()) continue;
    auto part = std::make_unique<ParameterUnit>();
    part->name_ = unit.name_ + ".frozen";
    part->read_in_backward_ = unit.read_in_backward_;
    part->is_frozen_ = true;
    part->store_ = this;
    std::move(frozen, parameters.end(), std::back_inserter(part->parameters_));
    parameters.erase(frozen, parameters.end());
    for (const auto& parameter : part->parameters_) parameter->unit_ = part.get();
    unit.frozen_part_ = part.get();
    units.push_back(std::move(part));
  }
  units_ = std::move(units);
  for (size_t i = 0; i < units_.size(); ++i) units_[i]->index_ = i;
  first_trained_ = 0;
  while (first_trained_ + 1 < units_.size() && units_[first_trained_]->is_frozen_) ++first_trained_;
}

void ParameterStore::lay_out(ParameterUnit& unit) {
  for (const bool decayed : {true, false}) {
    for (const auto& parameter : unit.parameters_) {
      if (parameter->spec_.weight_decay != decayed) continue;
      parameter->offset_ = unit.numel_;
      unit.numel_ += parameter->aligned_numel();
    }
  }
  const int shards = sharding_.num_shards();
  if (shards > 1) unit.numel_ = rounded_up(unit.numel_, shards * kShardAlignment);
  unit.shard_numel_ = unit.numel_ / shards;
  unit.shard_begin_ = shards > 1 ? unit.shard_begin_of(sharding_.data->rank()) : 0;
}

void ParameterStore::allocate(uint64_t seed, StoreUse use) {
  use_ = use;
  if (use == StoreUse::kInference) master_type_ = compute_type_;
  const bool is_sharded = sharding_.num_shards() > 1;
  for (const auto& unit : units_) {
    lay_out(*unit);
    const auto options = at::TensorOptions().dtype(master_type_of(*unit)).device(device_);
    // Where compute and master types are equal, the compute copy shares memory with the master: it
    // is the master, or contains it as its shard.
    const bool shares = compute_type_ == master_type_of(*unit);
    if (shards_weights()) {
      unit->master_ = at::zeros({unit->shard_numel_}, options);
      unit->compute_shard_ =
          shares ? unit->master_ : at::zeros({unit->shard_numel_}, options.dtype(compute_type_));
    } else {
      const auto of_compute = options.dtype(compute_type_);
      unit->bind_compute(use == StoreUse::kInference
                             ? zeros_in_large_pages(unit->numel_, of_compute)
                             : at::zeros({unit->numel_}, of_compute));
      unit->master_ =
          shares ? unit->shard_of(unit->compute_) : at::zeros({unit->shard_numel_}, options);
    }
    if (use == StoreUse::kInference) continue;
    if (unit->is_frozen_) {
      draw(*unit, seed);
      continue;
    }
    if (shards_gradients()) {
      unit->reduced_gradient_ = at::zeros({unit->shard_numel_}, options);
    } else {
      unit->bind_gradient(at::zeros({unit->numel_}, options));
      unit->reduced_gradient_ = is_sharded ? unit->shard_of(unit->gradient_) : unit->gradient_;
    }
    draw(*unit, seed);
  }
  refresh_compute();
  // The caller may load into buffers that a gather still writes to.
  for (const auto& unit : units_) finish_gather(*unit);
}

void ParameterStore::keep_in_int8() {
  constexpr double kLargest = 127;
  for (const auto& unit : units_) {
    const auto& parameters = unit->parameters_;
    if (std::ranges::all_of(parameters,
                            [](const auto& one) { return one->spec_.matrices.empty(); }))
      continue;
    for (const auto& parameter : parameters) {
      if (parameter->spec_.matrices.empty()) {
        parameter->compute_ = parameter->compute_.clone();
        continue;
      }
      const at::Tensor weight =
          parameter->compute_.view({-1, parameter->compute_.size(-1)}).to(at::kFloat);
      const at::Tensor scales = weight.abs().amax(1).div_(kLargest).clamp_min_(1e-30);
      at::Tensor values =
          zeros_in_large_pages(weight.numel(), at::TensorOptions().dtype(at::kChar).device(device_))
              .view(weight.sizes());
      values.copy_((weight / scales.unsqueeze(1)).round_().clamp_(-kLargest, kLargest));
      parameter->int8_ = Int8Matrix{values, scales};
      parameter->compute_ = at::Tensor();
    }
    unit->master_ = at::Tensor();
    unit->compute_ = at::Tensor();
  }
}

void ParameterStore::allocate_state(const StateNames& names_for) {
  for (const auto& unit : units_) {
    std::vector<std::string> names;
    for (const auto& parameter : unit->parameters_) {
      if (parameter->is_trained()) parameter->state_ = names_for(parameter->spec_);
      for (const std::string& name : parameter->state_) {
        TORCH_CHECK(name != kWeights && name != kGradient, "state cannot be named ", name);
        if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
      }
    }
    for (const std::string& name : names) add_state(*unit, name);
  }
}

void ParameterStore::add_state(ParameterUnit& unit, const std::string& name) {
  int64_t begin = unit.numel_;
  int64_t end = 0;
  for (const auto& parameter : unit.parameters_) {
    if (!parameter->has_state(name)) continue;
    begin = std::min(begin, parameter->offset_);
    end = std::max(end, parameter->offset_ + parameter->aligned_numel());
  }
  const int64_t shard_end = unit.shard_begin_ + unit.shard_numel_;
  begin = std::clamp(begin, unit.shard_begin_, shard_end);
  end = std::clamp(end, begin, shard_end);
  unit.state_.push_back({name, begin, at::zeros({end - begin}, unit.master_.options())});
}

void ParameterStore::draw(ParameterUnit& unit, uint64_t seed) {
  for (const auto& parameter : unit.parameters_) {
    const Parameter::Span span = parameter->span_in_shard();
    if (span.count == 0) continue;
    at::Tensor mine = unit.master_.narrow(0, span.begin, span.count);
    if (parameter->spec_.init == Init::kOnes) mine.fill_(1.0);
    if (parameter->spec_.init == Init::kNormal)
      draw_normal(parameter->spec_, seed, span.first_element, mine);
  }
}

int64_t ParameterStore::num_logical_elements() const {
  int64_t total = 0;
  for (const Parameter* parameter : parameters_)
    total += c10::multiply_integers(parameter->spec_.logical_shape);
  return total;
}

void ParameterStore::begin_step() {
  for (Parameter* parameter : parameters_) parameter->gradient_is_set_ = false;
  for (const auto& unit : units_) unit->reduced_is_set_ = false;
}

void ParameterStore::begin_micro_batch(bool is_last) {
  announces_ = is_last || shards_gradients();
  is_backward_ = false;
  furthest_ = 0;
  for (const auto& unit : units_) {
    unit->uses_outstanding_ = 0;
    for (const auto& parameter : unit->parameters_) {
      unit->uses_outstanding_ += parameter->spec_.uses_per_micro_batch;
    }
  }
}

void ParameterStore::report_use(ParameterUnit& unit) {
  if (use_ == StoreUse::kInference) return;
  TORCH_CHECK(unit.uses_outstanding_ > 0, "unit ", unit.name_, " reported more uses than it has");
  --unit.uses_outstanding_;
  if (unit.uses_outstanding_ > 0) return;
  free_compute(unit);
  if (unit.is_frozen_ || !announces_ || !on_unit_ready) return;
  need_gradient(unit);
  for (const auto& parameter : unit.parameters_) {
    // The parameter may have been used without a gradient, on a rank without any masked token.
    if (!parameter->gradient_is_set_) parameter->gradient_.zero_();
    parameter->gradient_is_set_ = true;
  }
  on_unit_ready(unit);
}

void ParameterStore::need_gradient(ParameterUnit& unit) {
  if (unit.gradient_.defined()) return;
  unit.bind_gradient(
      at::zeros({unit.numel_}, at::TensorOptions().dtype(master_type_).device(device_)));
  for (const auto& parameter : unit.parameters_) parameter->gradient_is_set_ = false;
}

void ParameterStore::refresh_compute() {
  is_backward_ = false;
  for (const auto& unit : units_) refresh(*unit);
}

void ParameterStore::refresh_updated() {
  is_backward_ = false;
  for (const auto& unit : units_) {
    if (!unit->is_frozen_) refresh(*unit);
  }
}

void ParameterStore::refresh(ParameterUnit& unit) {
  finish_gather(unit);
  if (shards_weights()) {
    unit.gathering_ = at::Tensor();
    unit.bind_compute({});
  }
  at::Tensor own = shards_weights() ? unit.compute_shard_ : unit.shard_of(unit.compute_);
  if (compute_type_ != master_type_of(unit)) own.copy_(unit.master_);
  // Forward waits for each unit's gather where it needs the unit.
  if (sharding_.num_shards() > 1 && !shards_weights())
    unit.gather_ = sharding_.data->all_gather(unit.compute_, own);
}

void ParameterStore::finish_gather(ParameterUnit& unit) {
  if (unit.gather_) unit.gather_->wait();
  unit.gather_ = nullptr;
}

void ParameterStore::start_gather(ParameterUnit& unit) {
  if (unit.compute_.defined() || unit.gather_) return;
  unit.gathering_ = at::empty({unit.numel_}, unit.compute_shard_.options());
  unit.gather_ = sharding_.data->all_gather(unit.gathering_, unit.compute_shard_);
}

void ParameterStore::prefetch_behind(const ParameterUnit& unit) {
  if (is_backward_) {
    if (unit.index_ <= first_trained_ || !units_[unit.index_ - 1]->read_in_backward_) return;
    return start_gather(*units_[unit.index_ - 1]);
  }
  // The embedding, whose table the head reads again, lies behind the place that forward has
  // reached.
  if (unit.index_ < furthest_ || unit.index_ + 1 == units_.size()) return;
  furthest_ = unit.index_;
  ParameterUnit& next = *units_[unit.index_ + 1];
  start_gather(next);
  if (next.frozen_part_ != nullptr) start_gather(*next.frozen_part_);
}

void ParameterStore::need_compute(ParameterUnit& unit) {
  if (shards_weights()) {
    start_gather(unit);
    prefetch_behind(unit);
  }
  finish_gather(unit);
  if (!unit.gathering_.defined()) return;
  unit.bind_compute(unit.gathering_);
  unit.gathering_ = at::Tensor();
}

void ParameterStore::free_compute(ParameterUnit& unit) {
  if (shards_weights() && unit.compute_.defined()) unit.bind_compute({});
}

at::Tensor ParameterStore::scratch(at::IntArrayRef shape) {
  const int64_t numel = c10::multiply_integers(shape);
  if (!scratch_.defined() || scratch_.numel() < numel) {
    scratch_ = at::empty({numel}, at::TensorOptions().dtype(compute_type_).device(device_));
  }
  return scratch_.narrow(0, 0, numel).view(shape);
}

UnitInForward::~UnitInForward() {
  ParameterStore& store = *unit_.store_;
  if (store.is_backward_) return;
  store.free_compute(*store.units_[unit_.index_]);
  if (unit_.frozen_part_ != nullptr) store.free_compute(*unit_.frozen_part_);
}

}  // namespace lmtrain
