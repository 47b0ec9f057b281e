// Messages of all ranks to all ranks, and whole tensors on their owners, at 1, 2 and 4 ranks.
#include "trainer/step/whole_tensors.h"

#include <map>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "models/model.h"
#include "parallel/exchange.h"
#include "parallel/staged_communicator.h"
#include "tests/mpi/mpi_main.h"
#include "trainer/step/matrices.h"
#include "trainer/step/optimizers.h"

namespace lmtrain {
namespace {

// Defect: a message to the wrong rank or place, one that is lost, ranks that wait for each other.
TEST(Exchange, EveryRankGetsWhatEachOtherSent) {
  Communicator& world = mpi_launch().world();
  // What `from` sends `to`: two tensors, or none.
  const auto sent = [](int from, int to) {
    std::vector<at::Tensor> pieces;
    if ((from + to) % 3 == 2) return pieces;
    for (int64_t i = 0; i < 2; ++i)
      pieces.push_back(at::arange(i + to, at::kFloat).add(100.0 * from + 10.0 * to));
    return pieces;
  };
  Parcels parcels(world.size());
  for (int peer = 0; peer < world.size(); ++peer) {
    const auto at = static_cast<size_t>(peer);
    parcels.outgoing[at] = sent(world.rank(), peer);
    for (const at::Tensor& piece : sent(peer, world.rank()))
      parcels.incoming[at].push_back(at::zeros_like(piece));
  }
  exchange(world, parcels);
  for (int peer = 0; peer < world.size(); ++peer) {
    if (peer == world.rank()) continue;
    const std::vector<at::Tensor> want = sent(peer, world.rank());
    for (size_t i = 0; i < want.size(); ++i)
      EXPECT_TRUE(at::equal(parcels.incoming[static_cast<size_t>(peer)][i], want[i]));
  }
}

struct Layout {
  int tensor;
  int64_t zero;
  bool is_staged;  // moved as tensors of a shared GPU are
};

ModelConfig tiny() {
  ModelConfig config;
  config.kind = "llama";
  config.num_layers = 3;
  config.num_heads = 8;
  config.num_kv_heads = 4;
  config.hidden_size = 16;
  config.feed_forward_size = 24;
  config.max_positions = 8;
  config.vocab_size = 61;
  return config;
}

// Initial weights, logical tensors.
std::map<std::string, at::Tensor> weights_of_one_rank() {
  const auto alone = make_single_communicator();
  ParameterStore store(at::kFloat, at::kCPU);
  const auto model = make_model(tiny(), 61, store, *alone);
  store.allocate(3);
  std::map<std::string, at::Tensor> weights;
  for (const Parameter* parameter : store.parameters())
    weights[parameter->spec().name] = parameter->master().clone();
  return weights;
}

// Defect: a part in the wrong place of the whole, one that comes back to the wrong rank, a tensor
// with two owners or none, ranks without work.
TEST(WholeTensors, OwnersSeeTheWholeAndEachRankGetsItsPartBack) {
  Communicator& world = mpi_launch().world();
  const auto staged = make_staged_communicator(world);
  const std::map<std::string, at::Tensor> whole = weights_of_one_rank();
  OptimizerConfig config;
  config.kind = OptimizerKind::kMuon;
  const std::unique_ptr<Optimizer> muon = make_optimizer(config);
  std::vector<Layout> layouts = {{1, 0, false}, {1, 1, false}, {1, 3, true}};
  if (world.size() > 1) layouts.push_back({world.size(), 0, false});
  if (world.size() > 2) layouts.insert(layouts.end(), {{2, 0, false}, {2, 2, true}});
  for (const Layout& layout : layouts) {
    Mesh mesh(world, layout.is_staged ? *staged : world, layout.tensor);
    ParameterStore store(at::kFloat, at::kCPU, {&mesh.data(), layout.zero});
    const auto model = make_model(tiny(), 61, store, mesh.tensor());
    store.allocate(3);
    int64_t num_owned = 0;
    int64_t num_tensors = 0;
    for (const OwnedTensors& group : owned_tensors(store, *muon, mesh)) {
      std::vector<at::Tensor> parts;
      for (const OwnedTensor& owned : group)
        parts.push_back(elements_of(*owned.parameter, kWeights).clone());
      const std::vector<at::Tensor> back = on_owners(
          group, parts, store, mesh, [&](const ParameterSpec& spec, const at::Tensor& logical) {
            ++num_owned;
            EXPECT_TRUE(at::equal(logical, whole.at(spec.name))) << spec.name;
            return logical.mul(3.0);
          });
      for (size_t i = 0; i < group.size(); ++i)
        EXPECT_TRUE(at::equal(back[i], parts[i].mul(3.0))) << group[i].parameter->spec().name;
      num_tensors += std::ssize(group);
    }
    EXPECT_EQ(num_tensors, 4 * tiny().num_layers);
    EXPECT_GT(num_owned, 0) << "rank " << world.rank();
    const at::Tensor total = at::tensor({num_owned}, at::kLong);
    world.all_reduce(total, ReduceOp::kSum)->wait();
    EXPECT_EQ(total.item<int64_t>(), num_tensors);
  }
}

}  // namespace
}  // namespace lmtrain
