#include "trainer/step/whole_tensors.h"

#include <ATen/ATen.h>

#include "parallel/balanced_owners.h"
#include "parallel/exchange.h"
#include "trainer/step/matrices.h"

namespace lmtrain {
namespace {

// What a rank of the data axis has of a parameter's part of the tensor axis.
at::Tensor part_on(const Parameter& parameter, int data_rank, const at::Tensor& local) {
  const Parameter::Span span = parameter.span_in_shard_of(data_rank);
  return local.narrow(0, span.first_element, span.count);
}

// One group's way to its owners and back. Tensors that a rank does not have at a stage are
// undefined.
class Journey {
 public:
  Journey(const OwnedTensors& group, const ParameterStore& store, Mesh& mesh)
      : group_(group), sharding_(store.sharding()), data_(mesh.data()), tensor_(mesh.tensor()) {}

  // Parts of the data axis to the owner's ranks of it: flat parts of the tensor axis.
  std::vector<at::Tensor> to_owners_on_data(const std::vector<at::Tensor>& parts) const {
    if (sharding_.num_shards() == 1) return parts;
    Parcels parcels(data_.size());
    std::vector<at::Tensor> locals(group_.size());
    for (size_t i = 0; i < group_.size(); ++i) {
      const OwnedTensor& owned = group_[i];
      if (owned.data_rank != data_.rank()) {
        outgoing(parcels, owned.data_rank).push_back(parts[i]);
        continue;
      }
      locals[i] = at::empty({owned.parameter->numel()}, parts[i].options());
      for (int rank = 0; rank < data_.size(); ++rank) {
        at::Tensor piece = part_on(*owned.parameter, rank, locals[i]);
        if (rank == data_.rank()) {
          piece.copy_(parts[i]);
        } else {
          incoming(parcels, rank).push_back(piece);
        }
      }
    }
    exchange(data_, parcels);
    return locals;
  }

  // Parts of the tensor axis to the owner: logical tensors.
  std::vector<at::Tensor> to_owners_on_tensor(const std::vector<at::Tensor>& locals) const {
    Parcels parcels(tensor_.size());
    std::vector<std::vector<at::Tensor>> pieces(group_.size());
    for (size_t i = 0; i < group_.size(); ++i) {
      const OwnedTensor& owned = group_[i];
      if (owned.data_rank != data_.rank()) continue;
      const bool is_cut = owned.parameter->spec().is_cut();
      if (owned.tensor_rank != tensor_.rank()) {
        if (is_cut) outgoing(parcels, owned.tensor_rank).push_back(locals[i]);
        continue;
      }
      for (int rank = 0; rank < (is_cut ? tensor_.size() : 1); ++rank) {
        const bool is_own = !is_cut || rank == tensor_.rank();
        pieces[i].push_back(is_own ? locals[i] : at::empty_like(locals[i]));
        if (!is_own) incoming(parcels, rank).push_back(pieces[i].back());
      }
    }
    exchange(tensor_, parcels);
    std::vector<at::Tensor> logicals(group_.size());
    for (size_t i = 0; i < group_.size(); ++i) {
      const ParameterSpec& spec = group_[i].parameter->spec();
      for (at::Tensor& piece : pieces[i]) piece = piece.view(spec.local_shape());
      if (!pieces[i].empty()) logicals[i] = spec.logical_from(pieces[i]);
    }
    return logicals;
  }

  // From the owner to the ranks of its tensor axis: flat parts of it.
  std::vector<at::Tensor> from_owners_on_tensor(const std::vector<at::Tensor>& logicals,
                                                at::TensorOptions options) const {
    Parcels parcels(tensor_.size());
    std::vector<at::Tensor> locals(group_.size());
    for (size_t i = 0; i < group_.size(); ++i) {
      const OwnedTensor& owned = group_[i];
      if (owned.data_rank != data_.rank()) continue;
      if (owned.tensor_rank != tensor_.rank()) {
        locals[i] = at::empty({owned.parameter->numel()}, options);
        incoming(parcels, owned.tensor_rank).push_back(locals[i]);
        continue;
      }
      ParameterSpec spec = owned.parameter->spec();
      for (int rank = 0; rank < tensor_.size(); ++rank) {
        if (spec.is_cut()) spec.shard_index = rank;
        const at::Tensor piece = spec.local_part(logicals[i]).reshape({-1});
        if (rank == tensor_.rank()) locals[i] = piece;
        if (rank != tensor_.rank()) outgoing(parcels, rank).push_back(piece);
      }
    }
    exchange(tensor_, parcels);
    return locals;
  }

  // From the owner's ranks of the data axis to all of it.
  std::vector<at::Tensor> from_owners_on_data(const std::vector<at::Tensor>& locals,
                                              at::TensorOptions options) const {
    Parcels parcels(data_.size());
    std::vector<at::Tensor> parts(group_.size());
    for (size_t i = 0; i < group_.size(); ++i) {
      const OwnedTensor& owned = group_[i];
      const auto part = [&](int rank) { return part_on(*owned.parameter, rank, locals[i]); };
      if (owned.data_rank != data_.rank()) {
        parts[i] = at::empty({owned.parameter->span_in_shard().count}, options);
        incoming(parcels, owned.data_rank).push_back(parts[i]);
        continue;
      }
      parts[i] = part(data_.rank());
      for (int rank = 0; rank < data_.size(); ++rank) {
        if (rank != data_.rank()) outgoing(parcels, rank).push_back(part(rank));
      }
    }
    exchange(data_, parcels);
    return parts;
  }

 private:
  static std::vector<at::Tensor>& outgoing(Parcels& parcels, int rank) {
    return parcels.outgoing[static_cast<size_t>(rank)];
  }
  static std::vector<at::Tensor>& incoming(Parcels& parcels, int rank) {
    return parcels.incoming[static_cast<size_t>(rank)];
  }

  const OwnedTensors& group_;
  const Sharding& sharding_;
  Communicator& data_;
  Communicator& tensor_;
};

}  // namespace

std::vector<std::vector<const Parameter*>> groups_of_whole_tensors(const ParameterStore& store,
                                                                   const Optimizer& optimizer,
                                                                   int64_t num_ranks) {
  const auto enough = static_cast<size_t>(2 * num_ranks);
  std::vector<std::vector<const Parameter*>> groups;
  for (const auto& unit : store.units()) {
    if (groups.empty() || groups.back().size() >= enough) groups.emplace_back();
    for (const auto& parameter : unit->parameters()) {
      if (parameter->is_trained() &&
          optimizer.granularity_of(parameter->spec()) == Granularity::kMatrix)
        groups.back().push_back(parameter.get());
    }
  }
  std::erase_if(groups, [](const auto& group) { return group.empty(); });
  return groups;
}

std::vector<int> owners_of(const std::vector<const Parameter*>& group, const Optimizer& optimizer,
                           int num_ranks) {
  std::vector<double> flops;
  for (const Parameter* parameter : group)
    flops.push_back(optimizer.matrix_flops(parameter->spec()));
  return balanced_owners(flops, num_ranks);
}

std::vector<OwnedTensors> owned_tensors(const ParameterStore& store, const Optimizer& optimizer,
                                        Mesh& mesh) {
  const int num_ranks = mesh.data().size() * mesh.tensor().size();
  std::vector<OwnedTensors> groups;
  for (const auto& parameters : groups_of_whole_tensors(store, optimizer, num_ranks)) {
    OwnedTensors& group = groups.emplace_back();
    const std::vector<int> owners = owners_of(parameters, optimizer, num_ranks);
    for (size_t i = 0; i < parameters.size(); ++i) {
      group.push_back(
          {parameters[i], owners[i] / mesh.tensor().size(), owners[i] % mesh.tensor().size()});
    }
  }
  return groups;
}

std::vector<at::Tensor> on_owners(const OwnedTensors& group, const std::vector<at::Tensor>& parts,
                                  const ParameterStore& store, Mesh& mesh,
                                  const WholeTensorWork& work) {
  const Journey journey(group, store, mesh);
  std::vector<at::Tensor> logicals = journey.to_owners_on_tensor(journey.to_owners_on_data(parts));
  for (size_t i = 0; i < group.size(); ++i) {
    if (logicals[i].defined()) logicals[i] = work(group[i].parameter->spec(), logicals[i]);
  }
  const auto options = at::TensorOptions().dtype(store.master_type()).device(store.device());
  return journey.from_owners_on_data(journey.from_owners_on_tensor(logicals, options), options);
}

}  // namespace lmtrain
