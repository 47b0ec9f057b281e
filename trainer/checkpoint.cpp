#include "trainer/checkpoint.h"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>

#include <ATen/ATen.h>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"
#include "parallel/caching_allocator.h"
#include "trainer/hdf5_tensors.h"
#include "trainer/manifest_json.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// A file holds at most so much, or one larger tensor, which bounds the memory of its image.
constexpr int64_t kFileBytes = int64_t{128} << 20;

// One tensor to store, and its place in the store.
struct Item {
  std::string group;
  const Parameter* parameter;
  at::Tensor tensor;  // without padded rows
};

std::vector<Item> all_items(const ParameterStore& store, bool with_optimizer) {
  std::vector<Item> items;
  for (const Parameter* parameter : store.parameters()) {
    items.push_back({"weights", parameter, parameter->unpadded(parameter->master())});
    if (!with_optimizer) continue;
    items.push_back({"exp_avg", parameter, parameter->unpadded(parameter->exp_avg())});
    items.push_back({"exp_avg_sq", parameter, parameter->unpadded(parameter->exp_avg_sq())});
  }
  return items;
}

// The items that rank `rank` of `size` writes: the largest first, each to the rank with the fewest
// bytes.
std::vector<Item> share_of_items(const std::vector<Item>& items, int rank, int size) {
  std::vector<size_t> order(items.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return items[a].tensor.nbytes() > items[b].tensor.nbytes();
  });
  std::vector<size_t> load(static_cast<size_t>(size));
  std::vector<Item> share;
  for (const size_t i : order) {
    const auto least =
        static_cast<size_t>(std::min_element(load.begin(), load.end()) - load.begin());
    load[least] += items[i].tensor.nbytes();
    if (least == static_cast<size_t>(rank)) share.push_back(items[i]);
  }
  return share;
}

// Writes, reads back and compares: a disk that lies is found now, not at the resume.
Manifest::File write_image(const fs::path& path, const std::vector<char>& image) {
  const uint64_t hash = hash_bytes(image.data(), image.size());
  DurableFile file(path, static_cast<int64_t>(image.size()));
  file.write(image.data(), image.size());
  file.commit();
  const MappedFile back(path);
  if (back.size() != image.size() || hash_bytes(back.data(), back.size()) != hash) {
    throw IoError(cat(path.string(), " does not read back as it was written"));
  }
  return {path.filename().string(), static_cast<int64_t>(image.size()), hex16(hash)};
}

// Writes this rank's tensors; returns its part of the manifest.
Manifest write_share(const fs::path& folder, const std::vector<Item>& share, int rank) {
  Manifest part;
  for (size_t next = 0; next < share.size();) {
    const std::string name = cat("rank-", zero_padded(rank, 5), "-", part.files.size(), ".h5");
    Hdf5Writer writer;
    for (int64_t bytes = 0; next < share.size(); ++next) {
      const Item& item = share[next];
      if (bytes > 0 && bytes + static_cast<int64_t>(item.tensor.nbytes()) > kFileBytes) break;
      const at::Tensor tensor = item.tensor.cpu().contiguous();
      writer.add(item.group, item.parameter->spec().name, tensor);
      part.tensors.push_back({item.group, item.parameter->spec().name, tensor.sizes().vec(), name});
      bytes += static_cast<int64_t>(tensor.nbytes());
    }
    part.files.push_back(write_image(folder / name, writer.finish()));
  }
  return part;
}

// Runs `work` on this rank; all ranks learn every rank's result or the first error.
struct Vote {
  std::string error;
  std::vector<std::string> results;
};
Vote vote(Communicator& world, const std::function<std::string()>& work) {
  std::string mine;
  try {
    mine = "+" + work();
  } catch (const std::exception& error) {
    mine = cat("-rank ", world.rank(), ": ", error.what());
  }
  Vote vote;
  for (const std::string& text : gather_texts(world, mine)) {
    if (text[0] == '-' && vote.error.empty()) vote.error = text.substr(1);
    vote.results.push_back(text.substr(1));
  }
  return vote;
}

}  // namespace

fs::path checkpoint_path(const fs::path& checkpoints, int64_t step) {
  return checkpoints / ("step-" + zero_padded(step, 8));
}

std::string save_checkpoint(const fs::path& checkpoints, const ParameterStore& store,
                            const CheckpointState& state, const std::string& tokenizer_json,
                            Communicator& world) {
  const fs::path folder = checkpoint_path(checkpoints, state.step);
  release_cached_blocks();  // of the step's tensors: images want the room
  Vote ready = vote(world, [&]() -> std::string {
    if (world.rank() != 0) return "";
    fs::remove_all(folder);  // what a killed save left
    make_folders(folder);
    return "";
  });
  Vote written;
  if (ready.error.empty()) {
    written = vote(world, [&] {
      const bool with_optimizer = store.units().front()->exp_avg().defined();
      const std::vector<Item> share =
          share_of_items(all_items(store, with_optimizer), world.rank(), world.size());
      return to_json(write_share(folder, share, world.rank())).dump();
    });
  }
  const Vote committed = vote(world, [&]() -> std::string {
    if (!ready.error.empty()) throw IoError(ready.error);
    if (!written.error.empty()) throw IoError(written.error);
    if (world.rank() != 0) return "";
    Manifest manifest;
    manifest.state = state;
    for (const std::string& text : written.results) {
      const Manifest part = manifest_from_json(json::parse(text));
      manifest.files.insert(manifest.files.end(), part.files.begin(), part.files.end());
      manifest.tensors.insert(manifest.tensors.end(), part.tensors.begin(), part.tensors.end());
    }
    manifest.files.push_back(
        write_image(folder / "tokenizer.json",
                    std::vector<char>(tokenizer_json.begin(), tokenizer_json.end())));
    write_file_durably(folder / "manifest.json", to_json(manifest).dump(1));
    sync_folder(checkpoints);
    return "";
  });
  if (!committed.error.empty() && world.rank() == 0) {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }
  return committed.error;
}

namespace {

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

std::map<std::string, at::Tensor> read_weights(const fs::path& checkpoint,
                                               const Manifest& manifest) {
  TensorReaders readers(checkpoint);
  std::map<std::string, at::Tensor> weights;
  for (const auto& stored : manifest.tensors) {
    if (stored.group != "weights") continue;
    at::Tensor& tensor = weights[stored.name];
    tensor = at::empty(stored.shape, manifest.state.precision == "fp64" ? at::kDouble : at::kFloat);
    readers.read(stored, tensor);
  }
  return weights;
}

void load_tensors(const fs::path& checkpoint, const Manifest& manifest, ParameterStore& store,
                  bool with_optimizer) {
  std::map<std::pair<std::string, std::string>, const Manifest::StoredTensor*> places;
  for (const auto& tensor : manifest.tensors) places[{tensor.group, tensor.name}] = &tensor;
  TensorReaders readers(checkpoint);
  for (const Item& item : all_items(store, with_optimizer)) {
    const std::string& name = item.parameter->spec().name;
    const auto found = places.find({item.group, name});
    if (found == places.end()) {
      throw CheckpointError(cat(checkpoint.string(), " has no tensor ", item.group, "/", name,
                                "; it is of another model"));
    }
    at::Tensor stored = at::empty(item.tensor.sizes(), item.tensor.options().device(at::kCPU));
    readers.read(*found->second, stored);
    at::Tensor(item.tensor).copy_(stored);
  }
  store.refresh_compute();
}

}  // namespace lmtrain
