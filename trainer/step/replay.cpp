#include "trainer/step/replay.h"

#include <algorithm>

#include "base/error.h"
#include "base/host_name.h"
#include "base/text.h"
#include "parallel/fingerprint.h"

namespace lmtrain {

ComputedBits::ComputedBits(ParameterStore& store) : store_(store), take_(store.on_unit_ready) {
  store_.on_unit_ready = [this](ParameterUnit& unit) {
    gradients_.push_back({fingerprint(unit.gradient()), cat("the gradient of unit ", unit.name())});
    take_(unit);
  };
}

ComputedBits::~ComputedBits() {
  if (take_) store_.on_unit_ready = take_;
}

void ComputedBits::note_sums() {
  for (const auto& unit : store_.units()) {
    if (unit->is_frozen()) continue;
    sums_.push_back({fingerprint(unit->reduced_gradient()),
                     cat("the sum over the ranks of the gradient of unit ", unit->name())});
  }
  store_.on_unit_ready = take_;
  take_ = nullptr;
}

void ComputedBits::note_losses(uint64_t fingerprint) { losses_ = fingerprint; }

std::string ComputedBits::first_difference(const std::vector<Item>& mine,
                                           const std::vector<Item>& others) {
  for (size_t i = 0; i < mine.size(); ++i) {
    if (i >= others.size() || mine[i].fingerprint != others[i].fingerprint) return mine[i].name;
  }
  return "";
}

std::string ComputedBits::first_own_difference(const ComputedBits& other) const {
  if (losses_ != other.losses_) return "the losses";
  return first_difference(gradients_, other.gradients_);
}

std::string ComputedBits::first_sum_difference(const ComputedBits& other) const {
  return first_difference(sums_, other.sums_);
}

void require_equal_bits(const ComputedBits& first, const ComputedBits& second, int64_t step,
                        Communicator& host_world) {
  const auto of_ranks = [&](const std::string& difference) {
    const std::string mine = difference.empty() ? ""
                                                : cat("rank ", host_world.rank(), " on ",
                                                      host_name(), " (", difference, ")");
    std::vector<std::string> found;
    for (const std::string& text : gather_texts(host_world, mine))
      if (!text.empty()) found.push_back(text);
    return found;
  };
  std::vector<std::string> found = of_ranks(first.first_own_difference(second));
  if (found.empty()) found = of_ranks(first.first_sum_difference(second));
  if (found.empty()) return;
  throw CollectiveError(
      ExitCode::kNumeric,
      cat("step ", step + 1, " was computed twice and gave other bits the second time on ",
          join(found, ", "),
          found.size() == 1 ? ": that machine computes wrong"
                            : ": one of these machines computes wrong",
          " (train.replay_every). Nothing was updated; go on without it from the newest "
          "checkpoint"));
}

}  // namespace lmtrain
