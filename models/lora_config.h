// Config section `lora`.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/choice.h"
#include "base/config_fields.h"

namespace lmtrain {

// What an adapter's product is multiplied by: alpha / rank, or alpha / sqrt(rank), with which a
// larger rank learns no slower (Kalajdzievski, 2023).
enum class LoraScaling { kStandard, kRankStabilised };
constexpr auto choice_names(LoraScaling) {
  return std::to_array<std::string_view>({"standard", "rank_stabilised"});
}

// Which biases are trained beside the adapters, by PEFT's names.
enum class LoraBias { kNone, kAll, kLoraOnly };
constexpr auto choice_names(LoraBias) {
  return std::to_array<std::string_view>({"none", "all", "lora_only"});
}

struct LoraConfig {
  int64_t rank = 0;
  double alpha = 16.0;
  std::vector<std::string> targets = {"all-linear"};
  LoraScaling scaling = LoraScaling::kStandard;
  LoraBias bias = LoraBias::kNone;
  std::string init_from;

  bool is_on() const { return rank > 0; }

  void describe(Fields& f) {
    f.integer("rank", rank, {.min = 0, .max = 1 << 14},
              "Columns of an adapter's matrices; 0: there are no adapters, and the whole model is "
              "trained. Otherwise the adapters and a new head are trained, and nothing else.");
    f.real("alpha", alpha, {.min = 0.0, .max = 1e6, .min_excluded = true},
           "What adapters add is multiplied by alpha over the rank.");
    f.texts("targets", targets,
            "The layers that have adapters, by their names in transformers or the ends of these "
            "(q_proj, v_proj, c_attn, attention.output.dense); all-linear: all linear layers of "
            "the blocks.");
    f.choice("scaling", scaling,
             "standard: alpha / rank; rank_stabilised: alpha / sqrt(rank) (rsLoRA).");
    f.choice("bias", bias,
             "Biases that are trained too: none, all, or those of the layers with adapters.");
    f.text("init_from", init_from,
           "Folder of the peft package whose adapters a new run begins with; rank, alpha, targets, "
           "scaling and bias are then its own.");
  }
};

}  // namespace lmtrain
