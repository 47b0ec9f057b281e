// Small models whose weights and optimizer state lie in any layout of the ranks.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "models/model.h"
#include "parallel/logical_tensors.h"
#include "parallel/mesh.h"
#include "parallel/staged_communicator.h"
#include "tests/mpi/mpi_main.h"
#include "trainer/step/optimizers.h"

namespace lmtrain {

struct Layout {
  int tensor = 1;
  bool sequence = false;
  int64_t zero = 0;
  bool is_staged = false;  // whether tensors move as those of a shared GPU do
};

// State of three kinds, each for some of the parameters only.
inline std::unique_ptr<Optimizer> muon() {
  OptimizerConfig config;
  config.kind = OptimizerKind::kMuon;
  return make_optimizer(config);
}

// A store in a layout of all ranks. Its state is a function of its elements.
class Sharded {
 public:
  Sharded(const ModelConfig& config, const Layout& layout, uint64_t seed)
      : staged_(make_staged_communicator(mpi_launch().world())),
        mesh_(mpi_launch().world(), layout.is_staged ? *staged_ : mpi_launch().world(),
              layout.tensor),
        store_(at::kFloat, at::kCPU, {&mesh_.data(), layout.zero}),
        model_(make_model(config, 61, store_, {mesh_.tensor(), layout.sequence})) {
    store_.allocate(seed);
    store_.allocate_state(state_names(*optimizer_));
    for (const auto& unit : store_.units()) {
      for (const StateBuffer& state : unit->state()) {
        const at::Tensor weights = unit->elements(kWeights, state.begin, state.shard.numel());
        state.shard.copy_(state.name == "exp_avg_sq" ? weights.square() : weights * 2);
      }
    }
  }

  ParameterStore& store() { return store_; }
  Mesh& mesh() { return mesh_; }

  // Returns all logical tensors in one row, group by group.
  at::Tensor state() {
    std::vector<at::Tensor> rows;
    for (const auto& unit : store_.units()) {
      for (const std::string& buffer : stored_buffers(*unit)) {
        for_each_logical(*unit, buffer, store_.sharding(), mesh_.tensor(),
                         [&](const Parameter&, const at::Tensor& logical) {
                           rows.push_back(logical.reshape({-1}).clone());
                         });
      }
    }
    return at::cat(rows);
  }

 private:
  std::unique_ptr<Communicator> staged_;
  Mesh mesh_;
  ParameterStore store_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<Optimizer> optimizer_ = muon();
};

inline ModelConfig tiny(const std::string& kind) {
  ModelConfig config;
  config.kind = kind;
  config.num_layers = 2;
  config.num_heads = 4;
  config.hidden_size = 16;
  config.max_positions = 8;
  config.vocab_size = 61;  // no rank of a tensor axis has as many rows as another
  if (config.kind == "bert") config.head = HeadKind::kPretraining;
  return config;
}

inline std::vector<Layout> all_layouts() {
  const int size = mpi_launch().size();
  std::vector<Layout> layouts = {
      {}, {1, false, 1}, {1, false, 2}, {1, false, 3}, {1, false, 1, true}};
  if (size > 1) layouts.insert(layouts.end(), {{size, false, 0}, {size, true, 0}});
  if (size > 2) layouts.insert(layouts.end(), {{2, false, 0}, {2, false, 1}, {2, true, 3}});
  return layouts;
}

}  // namespace lmtrain
