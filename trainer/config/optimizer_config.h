// Section `optimizer` of the config.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "base/choice.h"
#include "base/config_fields.h"

namespace lmtrain {

// The optimizers of trainer/step/optimizers.cpp.
enum class OptimizerKind { kAdamW };
constexpr auto choice_names(OptimizerKind) { return std::to_array<std::string_view>({"adamw"}); }

struct OptimizerConfig {
  OptimizerKind kind = OptimizerKind::kAdamW;
  double lr = 6e-4;
  std::vector<double> betas = {0.9, 0.95};
  double eps = 1e-8;
  double weight_decay = 0.1;

  void describe(Fields& f) {
    f.choice("kind", kind, "AdamW (Loshchilov and Hutter, 2019), decoupled weight decay.")
        .fixed_on_resume();
    f.real("lr", lr, {.min = 0.0, .max = 100.0}, "Peak learning rate.").warned_on_resume();
    f.reals("betas", betas, 2, {.min = 0.0, .max = 1.0, .max_excluded = true},
            "Decay of the first and second moment.")
        .fixed_on_resume();
    f.real("eps", eps, {.min = 0.0, .max = 1.0, .min_excluded = true},
           "Added to the root of the second moment.")
        .fixed_on_resume();
    f.real("weight_decay", weight_decay, {.min = 0.0, .max = 100.0},
           "Decay of matrices and embeddings; norms and biases have none.")
        .warned_on_resume();
  }
};

}  // namespace lmtrain
