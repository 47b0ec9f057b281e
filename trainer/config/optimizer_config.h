// Section `optimizer` of the config.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "base/choice.h"
#include "base/config_fields.h"

namespace lmtrain {

// The optimizers of trainer/step/optimizers.cpp.
enum class OptimizerKind { kAdamW, kMuon };
constexpr auto choice_names(OptimizerKind) {
  return std::to_array<std::string_view>({"adamw", "muon"});
}

// What a matrix's learning rate is multiplied by, named as in torch.optim.Muon.
enum class AdjustLr { kOriginal, kMatchRmsAdamW };
constexpr auto choice_names(AdjustLr) {
  return std::to_array<std::string_view>({"original", "match_rms_adamw"});
}

struct MuonConfig {
  double lr = 6e-4;
  double weight_decay = 0.1;
  double momentum = 0.95;
  bool nesterov = true;
  int64_t ns_steps = 5;
  AdjustLr adjust_lr_fn = AdjustLr::kMatchRmsAdamW;

  void describe(Fields& f) {
    f.real("lr", lr, {.min = 0.0, .max = 100.0}, "Peak learning rate of hidden matrices.")
        .warned_on_resume();
    f.real("weight_decay", weight_decay, {.min = 0.0, .max = 100.0},
           "Decay of hidden matrices, by lr without its adjustment.")
        .warned_on_resume();
    f.real("momentum", momentum, {.min = 0.0, .max = 1.0, .max_excluded = true},
           "Decay of the momentum.")
        .fixed_on_resume();
    f.boolean("nesterov", nesterov, "Nesterov's momentum.").fixed_on_resume();
    f.integer("ns_steps", ns_steps, {.min = 1, .max = 99}, "Newton-Schulz steps of an update.")
        .fixed_on_resume();
    f.choice("adjust_lr_fn", adjust_lr_fn,
             "What lr is multiplied by for a matrix of A rows and B columns. original: "
             "sqrt(max(1, A / B)). match_rms_adamw: 0.2 sqrt(max(A, B)), which lets Muon take "
             "AdamW's lr and weight_decay (Liu et al., 2025).")
        .fixed_on_resume();
  }
};

struct OptimizerConfig {
  OptimizerKind kind = OptimizerKind::kAdamW;
  double lr = 6e-4;
  std::vector<double> betas = {0.9, 0.95};
  double eps = 1e-8;
  double weight_decay = 0.1;
  double layer_decay = 1.0;
  MuonConfig muon;

  void describe(Fields& f) {
    f.choice("kind", kind,
             "AdamW (Loshchilov and Hutter, 2019), or Muon (Jordan et al., 2024) for the hidden "
             "matrices and AdamW for the rest.")
        .fixed_on_resume();
    f.real("lr", lr, {.min = 0.0, .max = 100.0}, "AdamW's peak learning rate.").warned_on_resume();
    f.reals("betas", betas, 2, {.min = 0.0, .max = 1.0, .max_excluded = true},
            "AdamW's decay of the first and second moment.")
        .fixed_on_resume();
    f.real("eps", eps, {.min = 0.0, .max = 1.0, .min_excluded = true},
           "Added by AdamW to the root of the second moment.")
        .fixed_on_resume();
    f.real("weight_decay", weight_decay, {.min = 0.0, .max = 100.0},
           "AdamW's decay of matrices and embeddings; norms and biases have none.")
        .warned_on_resume();
    f.real("layer_decay", layer_decay, {.min = 0.0, .max = 1.0, .min_excluded = true},
           "The learning rate of each block over that of the block above it; the head has the full "
           "rate, and below the lowest block comes the embedding.")
        .warned_on_resume();
    f.section("muon", muon, "Hidden matrices, with kind muon.");
  }
};

}  // namespace lmtrain
