#include "trainer/step/optimizers.h"

#include <array>
#include <stdexcept>

#include "trainer/step/adamw.h"
#include "trainer/step/muon.h"

namespace lmtrain {
namespace {

struct Entry {
  OptimizerKind kind;
  std::unique_ptr<Optimizer> (*make)(const OptimizerConfig& config);
};

template <class Kind>
std::unique_ptr<Optimizer> make(const OptimizerConfig& config) {
  return std::make_unique<Kind>(config);
}

constexpr auto kOptimizers = std::to_array<Entry>({
    {OptimizerKind::kAdamW, make<AdamW>},
    {OptimizerKind::kMuon, make<Muon>},
});
static_assert(kOptimizers.size() == choice_names(OptimizerKind{}).size(),
              "each optimizer.kind has an entry");

}  // namespace

std::unique_ptr<Optimizer> make_optimizer(const OptimizerConfig& config) {
  for (const Entry& entry : kOptimizers) {
    if (entry.kind == config.kind) return entry.make(config);
  }
  throw std::logic_error("an optimizer.kind that is not in the list");
}

StateNames state_names(const Optimizer& optimizer) {
  return [&optimizer](const ParameterSpec& spec) { return optimizer.state_of(spec); };
}

}  // namespace lmtrain
