#include "trainer/step/replica_drift.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/host_name.h"
#include "base/text.h"
#include "parallel/fingerprint.h"
#include "parallel/logical_tensors.h"
#include "parallel/typed_gather.h"

namespace lmtrain {
namespace {

// What a rank keeps of one parameter.
struct Kept {
  uint64_t stored = 0;  // weights and state in its shard
  uint64_t read = 0;    // the weight that layers read, where all of it is there
};

uint64_t stored_fingerprint(const Parameter& parameter) {
  const ParameterUnit& unit = parameter.unit();
  const Parameter::Span span = parameter.span_in_shard();
  std::vector<uint64_t> of_buffers;
  for (const std::string& buffer : stored_buffers(unit)) {
    if (span.count == 0 || !has_buffer(parameter, buffer)) continue;
    of_buffers.push_back(
        fingerprint(unit.elements(buffer, unit.shard_begin() + span.begin, span.count)));
  }
  return hash_bytes(of_buffers.data(), of_buffers.size() * sizeof(uint64_t));
}

// What no other rank keeps is not read.
std::vector<Kept> kept_by_this_rank(const ParameterStore& store, Mesh& mesh) {
  const bool is_sharded = store.sharding().num_shards() > 1;
  std::vector<Kept> kept;
  for (const Parameter* parameter : store.parameters()) {
    const bool on_tensor_axis = mesh.tensor().size() > 1 && !parameter->spec().is_cut();
    const bool on_data_axis = mesh.data().size() > 1;
    Kept of_one;
    if (on_tensor_axis || (on_data_axis && !is_sharded))
      of_one.stored = stored_fingerprint(*parameter);
    if ((on_tensor_axis || on_data_axis) && !store.shards_weights())
      of_one.read = fingerprint(parameter->weight());
    kept.push_back(of_one);
  }
  return kept;
}

// The ranks whose value is not that of most; all of them where no value has more than half.
std::vector<size_t> odd_ones(const std::vector<size_t>& ranks,
                             const std::vector<uint64_t>& values) {
  std::map<uint64_t, size_t> counts;
  for (const size_t rank : ranks) ++counts[values[rank]];
  if (counts.size() == 1) return {};
  const auto most =
      std::ranges::max_element(counts, {}, [](const auto& one) { return one.second; });
  std::vector<size_t> odd;
  for (const size_t rank : ranks) {
    if (2 * most->second <= ranks.size() || values[rank] != most->first) odd.push_back(rank);
  }
  return odd;
}

// The ranks that should agree: those for which `group_of` is the same.
template <class GroupOf>
std::vector<size_t> odd_ranks(const std::vector<uint64_t>& values, const GroupOf& group_of) {
  std::map<size_t, std::vector<size_t>> groups;
  for (size_t rank = 0; rank < values.size(); ++rank) groups[group_of(rank)].push_back(rank);
  for (const auto& [group, ranks] : groups) {
    std::vector<size_t> odd = odd_ones(ranks, values);
    if (!odd.empty()) return odd;
  }
  return {};
}

}  // namespace

void require_no_drift(const ParameterStore& store, Mesh& mesh, int64_t step) {
  Communicator& world = mesh.host_world();
  if (world.size() == 1) return;
  struct Nothing {
    int64_t unused = 0;
  };
  const auto of_ranks = gather_all(world, Nothing(), kept_by_this_rank(store, mesh));
  const auto tensor_size = static_cast<size_t>(mesh.tensor().size());
  const bool is_sharded = store.sharding().num_shards() > 1;
  std::string finding;
  std::vector<size_t> odd;
  for (size_t i = 0; i < store.parameters().size() && odd.empty(); ++i) {
    const ParameterSpec& spec = store.parameters()[i]->spec();
    std::vector<uint64_t> stored;
    std::vector<uint64_t> read;
    for (const auto& rank : of_ranks) {
      stored.push_back(rank.rows[i].stored);
      read.push_back(rank.rows[i].read);
    }
    // A group holds the ranks that should keep the same; ranks are numbered as in parallel/mesh.h.
    odd = odd_ranks(stored, [&](size_t rank) {
      const size_t on_data_axis = is_sharded ? rank / tensor_size : 0;
      const size_t on_tensor_axis = spec.is_cut() ? rank % tensor_size : 0;
      return on_data_axis * tensor_size + on_tensor_axis;
    });
    finding = cat("weights or optimizer state of ", spec.name);
    if (!odd.empty() || store.shards_weights()) continue;
    odd = odd_ranks(read, [&](size_t rank) { return spec.is_cut() ? rank % tensor_size : 0; });
    finding = cat("the copy of ", spec.name, " that layers read");
  }
  // All ranks have found the same.
  const std::vector<std::string> hosts =
      odd.empty() ? std::vector<std::string>() : gather_texts(world, host_name());
  if (odd.empty()) return;
  std::vector<std::string> names;
  for (const size_t rank : odd) names.push_back(cat("rank ", rank, " on ", hosts[rank]));
  const bool is_known = 2 * odd.size() < of_ranks.size();
  throw CollectiveError(
      ExitCode::kNumeric,
      cat("after step ", step, " ", finding,
          is_known ? " differs from that of the others on " : " is not the same on ",
          join(names, ", "),
          ", although ranks update it alike (train.drift_every): a machine computes wrong or "
          "another way. Go on from a checkpoint before it without that machine; machines of "
          "different kinds stay alike with parallel.zero=1"));
}

}  // namespace lmtrain
