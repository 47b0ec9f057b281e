#include "trainer/step/optimizers.h"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "trainer/step/adamw.h"
#include "trainer/step/muon.h"

namespace lmtrain {
namespace {

struct Entry {
  OptimizerKind kind;
  std::unique_ptr<Optimizer> (*make)(const OptimizerConfig& config);
  std::span<const std::string_view> keys;
};

template <class Kind>
std::unique_ptr<Optimizer> make(const OptimizerConfig& config) {
  return std::make_unique<Kind>(config);
}

constexpr auto kOptimizers = std::to_array<Entry>({
    {OptimizerKind::kAdamW, make<AdamW>, AdamW::kKeys},
    {OptimizerKind::kMuon, make<Muon>, Muon::kKeys},
});
static_assert(kOptimizers.size() == choice_names(OptimizerKind{}).size(),
              "each optimizer.kind has an entry");

const Entry& entry_of(OptimizerKind kind) {
  const auto entry = std::ranges::find(kOptimizers, kind, &Entry::kind);
  if (entry == kOptimizers.end())
    throw std::logic_error("an optimizer.kind that is not in the list");
  return *entry;
}

}  // namespace

std::unique_ptr<Optimizer> make_optimizer(const OptimizerConfig& config) {
  return entry_of(config.kind).make(config);
}

std::span<const std::string_view> keys_of(OptimizerKind kind) { return entry_of(kind).keys; }

StateNames state_names(const Optimizer& optimizer) {
  return [&optimizer](const ParameterSpec& spec) { return optimizer.state_of(spec); };
}

}  // namespace lmtrain
