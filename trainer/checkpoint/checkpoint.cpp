#include "trainer/checkpoint/checkpoint.h"

#include <cmath>
#include <map>
#include <optional>

#include <ATen/ATen.h>

#include "base/error.h"
#include "base/text.h"
#include "parallel/logical_tensors.h"
#include "trainer/checkpoint/hdf5_tensors.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

// One tensor to load.
struct Item {
  std::string buffer;
  const Parameter* parameter;
};

// Returns the weights and, for a training store, the optimizer's state, buffer by buffer in the
// order of the units.
std::vector<Item> all_items(const ParameterStore& store, bool with_optimizer) {
  std::vector<Item> items;
  for (const auto& unit : store.units()) {
    for (const std::string& buffer : stored_buffers(*unit)) {
      if (!with_optimizer && buffer != kWeights) continue;
      for (const auto& parameter : unit->parameters()) {
        if (has_buffer(*parameter, buffer)) items.push_back({buffer, parameter.get()});
      }
    }
  }
  return items;
}

// The files of a checkpoint, each opened when its first tensor is read.
class TensorReaders {
 public:
  explicit TensorReaders(fs::path checkpoint) : checkpoint_(std::move(checkpoint)) {}

  void read(const Manifest::StoredTensor& stored, at::Tensor& into) {
    auto reader = readers_.find(stored.file);
    if (reader == readers_.end())
      reader = readers_.emplace(stored.file, checkpoint_ / stored.file).first;
    reader->second.read(stored.group, stored.name, into);
  }

 private:
  fs::path checkpoint_;
  std::map<std::string, Hdf5Reader> readers_;
};

}  // namespace

fs::path checkpoint_path(const fs::path& checkpoints, int64_t step) {
  return checkpoints / ("step-" + zero_padded(step, 8));
}

std::map<std::string, at::Tensor> read_weights(const fs::path& checkpoint,
                                               const Manifest& manifest) {
  TensorReaders readers(checkpoint);
  std::map<std::string, at::Tensor> weights;
  for (const auto& stored : manifest.tensors) {
    if (stored.group != kWeights) continue;
    at::Tensor& tensor = weights[stored.name];
    tensor = at::empty(stored.shape, master_type_of(manifest.state.precision));
    readers.read(stored, tensor);
  }
  return weights;
}

at::Tensor read_tensor(const fs::path& checkpoint, const Manifest& manifest,
                       const Manifest::StoredTensor& stored) {
  at::Tensor tensor = at::empty(stored.shape, master_type_of(manifest.state.precision));
  Hdf5Reader(checkpoint / stored.file).read(stored.group, stored.name, tensor);
  return tensor;
}

void verify_values(const fs::path& checkpoint, const Manifest& manifest) {
  TensorReaders readers(checkpoint);
  for (const auto& stored : manifest.tensors) {
    at::Tensor tensor = at::empty(stored.shape, master_type_of(manifest.state.precision));
    readers.read(stored, tensor);
    // A sum in fp64 is finite where all its fp32 terms are.
    if (std::isfinite(tensor.sum(at::kDouble).item<double>())) continue;
    throw CheckpointError(cat(checkpoint.string(), ": ", stored.group, "/", stored.name,
                              " has values that are not finite (NaN or infinity)"));
  }
}

void load_tensors(const fs::path& checkpoint, const Manifest& manifest, ParameterStore& store,
                  bool with_optimizer) {
  std::map<std::pair<std::string, std::string>, const Manifest::StoredTensor*> places;
  for (const auto& tensor : manifest.tensors) places[{tensor.group, tensor.name}] = &tensor;
  TensorReaders readers(checkpoint);
  for (const Item& item : all_items(store, with_optimizer)) {
    if (item.parameter->span_in_shard().count == 0) continue;
    const ParameterSpec& spec = item.parameter->spec();
    const auto found = places.find({item.buffer, spec.name});
    if (found == places.end()) {
      throw CheckpointError(cat(checkpoint.string(), " has no tensor ", item.buffer, "/", spec.name,
                                "; it is of another model",
                                item.buffer == kWeights ? "" : " or optimizer"));
    }
    at::Tensor stored = at::empty(spec.logical_shape, master_type_of(manifest.state.precision));
    readers.read(*found->second, stored);
    set_from_logical(*item.parameter, item.buffer, stored);
  }
}

}  // namespace lmtrain
