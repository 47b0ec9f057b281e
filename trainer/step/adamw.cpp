#include "trainer/step/adamw.h"

#include <algorithm>

#include <ATen/ATen.h>

namespace lmtrain {
namespace {

constexpr char kFirstMoment[] = "exp_avg";
constexpr char kSecondMoment[] = "exp_avg_sq";

// Neighbouring elements of a unit that are updated alike.
struct Range {
  int64_t begin = 0;
  int64_t end = 0;
  bool is_decayed = false;
  double rate = 1.0;  // share of the learning rate
};

// All elements of the unit whose parameters have AdamW's state, in order; alignment included.
std::vector<Range> ranges_of(const ParameterUnit& unit) {
  std::vector<const Parameter*> in_order;
  for (const auto& parameter : unit.parameters()) in_order.push_back(parameter.get());
  std::ranges::sort(in_order, {}, &Parameter::offset);
  std::vector<Range> ranges;
  for (size_t i = 0; i < in_order.size(); ++i) {
    const Parameter& parameter = *in_order[i];
    if (!parameter.has_state(kSecondMoment)) continue;
    const int64_t end = parameter.offset() + parameter.aligned_numel();
    const bool is_decayed = parameter.spec().weight_decay;
    const double rate = parameter.spec().rate;
    if (!ranges.empty() && ranges.back().end == parameter.offset() &&
        ranges.back().is_decayed == is_decayed && ranges.back().rate == rate) {
      ranges.back().end = end;
    } else {
      ranges.push_back({parameter.offset(), end, is_decayed, rate});
    }
  }
  return ranges;
}

// What of the range lies in this rank's shard.
Range in_shard(const ParameterUnit& unit, Range range) {
  const int64_t shard_end = unit.shard_begin() + unit.shard_numel();
  range.begin = std::clamp(range.begin, unit.shard_begin(), shard_end);
  range.end = std::clamp(range.end, range.begin, shard_end);
  return range;
}

}  // namespace

std::vector<std::string> adamw_state() { return {kFirstMoment, kSecondMoment}; }

std::vector<std::string> AdamW::state_of(const ParameterSpec&) const { return adamw_state(); }

Granularity AdamW::granularity_of(const ParameterSpec&) const { return Granularity::kElement; }

// The ratio of the moments is at most about 1 (Kingma and Ba, 2015, section 2.1).
double AdamW::largest_update(const ParameterSpec& spec, const Rate& rate) const {
  return spec.is_frozen ? 0.0 : rate(config_.lr) * spec.rate;
}

void AdamW::update(ParameterStore& store, Mesh&, const UpdateStep& step) const {
  adamw_update(store, config_, step.rate(config_.lr), step.number, step.gradient_scale);
}

void adamw_update(const ParameterStore& store, const OptimizerConfig& config, double lr,
                  int64_t num_updates, double gradient_scale) {
  const auto options = at::TensorOptions().dtype(at::kFloat).device(store.device());
  const at::Tensor count = at::full({}, static_cast<double>(num_updates), options);
  c10::optional<at::Tensor> divisor;
  if (gradient_scale != 1.0 && store.master_type() == at::kFloat) {
    divisor = at::full({}, 1.0 / gradient_scale, options);
  }
  for (const auto& unit : store.units()) {
    for (const Range& whole : ranges_of(*unit)) {
      const Range range = in_shard(*unit, whole);
      if (range.begin == range.end) continue;
      const auto slice = [&](const char* buffer) {
        return unit->elements(buffer, range.begin, range.end - range.begin);
      };
      at::Tensor gradient = slice(kGradient);
      // The kernel's divisor is fp32.
      if (gradient_scale != 1.0 && !divisor) gradient.mul_(gradient_scale);
      at::Tensor master = slice(kWeights);
      at::Tensor first = slice(kFirstMoment);
      at::Tensor second = slice(kSecondMoment);
      at::_fused_adamw_({master}, {gradient}, {first}, {second}, {}, {count}, lr * range.rate,
                        config.betas[0], config.betas[1],
                        range.is_decayed ? config.weight_decay : 0.0, config.eps,
                        /*amsgrad=*/false, /*maximize=*/false, divisor);
    }
  }
}

}  // namespace lmtrain
