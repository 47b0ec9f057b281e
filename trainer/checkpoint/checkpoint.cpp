#include "trainer/checkpoint/checkpoint.h"

#include <cmath>
#include <map>
#include <optional>

#include <ATen/ATen.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"
#include "parallel/balanced_owners.h"
#include "parallel/caching_allocator.h"
#include "parallel/logical_tensors.h"
#include "trainer/checkpoint/hdf5_tensors.h"
#include "trainer/checkpoint/manifest_json.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// One tensor to store.
struct Item {
  std::string buffer;
  const Parameter* parameter;

  // Elements of the logical tensor.
  int64_t numel() const { return c10::multiply_integers(parameter->spec().logical_shape); }
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

// Returns the rank of [0, size) that writes each item.
std::vector<int> owners_of(const std::vector<Item>& items, int size) {
  std::vector<double> elements;
  for (const Item& item : items) elements.push_back(static_cast<double>(item.numel()));
  return balanced_owners(elements, size);
}

// Writes the image, reads it back and compares, so that a faulty disk is found now and
// not at a resume.
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

// Writes this rank's files one after another. An error is kept for the vote, because the other
// ranks go on gathering tensors and this rank must take part.
class ShareWriter {
 public:
  ShareWriter(fs::path folder, int rank) : folder_(std::move(folder)), rank_(rank) {}

  void add(const std::string& group, const std::string& name, const at::Tensor& logical) {
    attempt([&] {
      const at::Tensor tensor = logical.cpu().contiguous();
      const auto bytes = static_cast<int64_t>(tensor.nbytes());
      if (bytes_ > 0 && bytes_ + bytes > kCheckpointFileBytes) finish_file();
      if (!writer_) writer_.emplace();
      writer_->add(group, name, tensor);
      part_.tensors.push_back({group, name, tensor.sizes().vec(), file_name()});
      bytes_ += bytes;
    });
  }

  // Returns this rank's part of the manifest. Throws the error that was kept.
  const Manifest& finish() {
    attempt([&] {
      if (writer_) finish_file();
    });
    if (!error_.empty()) throw IoError(error_);
    return part_;
  }

 private:
  std::string file_name() const {
    return cat("rank-", zero_padded(rank_, 5), "-", part_.files.size(), ".h5");
  }

  void finish_file() {
    part_.files.push_back(write_image(folder_ / file_name(), writer_->finish()));
    writer_.reset();
    bytes_ = 0;
  }

  template <class Work>
  void attempt(Work work) {
    if (!error_.empty()) return;
    try {
      work();
    } catch (const std::exception& error) {
      error_ = error.what();
    }
  }

  fs::path folder_;
  int rank_;
  std::optional<Hdf5Writer> writer_;
  int64_t bytes_ = 0;
  Manifest part_;
  std::string error_;
};

// Collective over the store's axes: gathers every tensor that the layout splits, and gives this
// rank's tensors to `writer`.
void write_share(const ParameterStore& store, Communicator& tensor, Communicator& world,
                 ShareWriter& writer) {
  const std::vector<int> owners =
      owners_of(all_items(store, /*with_optimizer=*/true), world.size());
  size_t next = 0;
  for (const auto& unit : store.units()) {
    for (const std::string& buffer : stored_buffers(*unit)) {
      for_each_logical(*unit, buffer, store.sharding(), tensor,
                       [&](const Parameter& parameter, const at::Tensor& logical) {
                         if (owners[next++] == world.rank())
                           writer.add(buffer, parameter.spec().name, logical);
                       });
    }
  }
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

// Returns an empty folder for the files of a checkpoint whose place is `place`: the place itself, or
// a folder beside it where a checkpoint of the same step stands, which stays until this one counts.
fs::path make_room(const fs::path& place) {
  if (fs::is_symlink(place))
    throw IoError(
        cat(place.string(), " is a link; move it elsewhere, so that the step can be saved"));
  const bool is_taken = fs::exists(place / "manifest.json");
  const fs::path folder = is_taken ? fs::path(place.string() + kNewSuffix) : place;
  fs::remove_all(folder);  // what a killed save left
  make_folders(folder);
  return folder;
}

// Exchanges the two at once, where the file system can, and removes the old one.
void put_in_place_of(const fs::path& folder, const fs::path& place) {
  if (renameat2(AT_FDCWD, folder.c_str(), AT_FDCWD, place.c_str(), RENAME_EXCHANGE) != 0) {
    fs::remove_all(place);
    fs::rename(folder, place);
    return;
  }
  std::error_code ignored;
  fs::remove_all(folder, ignored);
}

}  // namespace

fs::path checkpoint_path(const fs::path& checkpoints, int64_t step) {
  return checkpoints / ("step-" + zero_padded(step, 8));
}

std::string save_checkpoint(const fs::path& checkpoints, const ParameterStore& store,
                            Communicator& tensor, const CheckpointState& state,
                            const std::string& tokenizer_json, Communicator& world) {
  const fs::path place = checkpoint_path(checkpoints, state.step);
  release_cached_blocks();  // frees the cached memory of the step for the images
  Vote ready = vote(world, [&]() -> std::string {
    if (world.rank() != 0) return "";
    return make_room(place).string();
  });
  const fs::path folder = ready.results[0];
  Vote written;
  if (ready.error.empty()) {
    ShareWriter writer(folder, world.rank());
    write_share(store, tensor, world, writer);
    written = vote(world, [&] { return to_json(writer.finish()).dump(); });
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
    const std::string text = manifest_text(manifest);
    write_image(folder / "manifest.json", std::vector<char>(text.begin(), text.end()));
    if (folder != place) put_in_place_of(folder, place);
    sync_folder(checkpoints);
    return "";
  });
  if (!committed.error.empty() && ready.error.empty() && world.rank() == 0) {
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
