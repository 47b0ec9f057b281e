#include "trainer/checkpoint/save.h"

#include <algorithm>
#include <fstream>
#include <optional>

#include <ATen/ATen.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"
#include "parallel/as_error.h"
#include "parallel/balanced_owners.h"
#include "parallel/logical_tensors.h"
#include "trainer/checkpoint/hdf5_tensors.h"
#include "trainer/checkpoint/manifest_json.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// What is hashed, written or read between two rests.
constexpr size_t kPiece = size_t{4} << 20;

// Calls work(data, count) for the pieces of consecutive bytes; where `data` is null they are zeros.
template <class Work>
void in_pieces(const char* data, size_t size, Pace& pace, Work work) {
  static const std::vector<char> zeros(kPiece);
  for (size_t at = 0; at < size; at += kPiece) {
    work(data != nullptr ? data + at : zeros.data(), std::min(kPiece, size - at));
    pace.rest();
  }
}

// Leaves a synced file out of the system's cache where the system can, so that it is read from the
// disk.
void drop_from_cache(const fs::path& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return;
  posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED);
  close(descriptor);
}

// Of what can be read.
uint64_t hash_of_file(const fs::path& path, Pace& pace) {
  std::vector<char> piece(kPiece);
  StreamingHash hash;
  std::ifstream file(path, std::ios::binary);
  while (file) {
    file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    hash.update(piece.data(), static_cast<size_t>(file.gcount()));
    pace.rest();
  }
  return hash.digest();
}

// Writes the parts one behind the other, reads them back and compares, so that a faulty disk is
// found now and not at a resume.
Manifest::File write_parts(const fs::path& path, const std::vector<Hdf5Image::Part>& parts,
                           int64_t size, Pace& pace) {
  StreamingHash hash;
  DurableFile file(path, size);
  for (const Hdf5Image::Part& part : parts) {
    in_pieces(part.data, part.size, pace, [&](const char* data, size_t count) {
      hash.update(data, count);
      file.write(data, count);
    });
  }
  file.commit();
  drop_from_cache(path);
  if (hash_of_file(path, pace) != hash.digest())
    throw IoError(cat(path.string(), " does not read back as it was written"));
  return {path.filename().string(), size, hex16(hash.digest())};
}

Manifest::File write_text(const fs::path& path, const std::string& text, Pace& pace) {
  return write_parts(path, {{text.data(), text.size()}}, static_cast<int64_t>(text.size()), pace);
}

// Writes this rank's files one after another. An error is kept for the vote, because the other
// ranks go on gathering tensors and this rank must take part.
class ShareWriter {
 public:
  ShareWriter(fs::path folder, int rank, const SaveOptions& options, Pace& pace)
      : folder_(std::move(folder)), rank_(rank), options_(options), pace_(pace) {}

  void add(const std::string& group, const std::string& name, const at::Tensor& logical) {
    attempt([&] {
      at::Tensor tensor = logical.cpu().contiguous();
      // Frozen weights are kept in the compute type alone; files hold them as all others.
      if (tensor.scalar_type() == at::kBFloat16) tensor = tensor.to(at::kFloat);
      if (options_.check) options_.check(group, name, tensor);
      const auto bytes = static_cast<int64_t>(tensor.nbytes());
      if (bytes_ > 0 && bytes_ + bytes > options_.file_bytes) finish_file();
      writer_.add(group, name, tensor);
      part_.tensors.push_back({group, name, tensor.sizes().vec(), file_name()});
      bytes_ += bytes;
      pace_.rest();
    });
  }

  // Returns this rank's part of the manifest. Throws the error that was kept.
  const Manifest& finish() {
    attempt([&] {
      if (bytes_ > 0) finish_file();
    });
    if (error_) throw *error_;
    return part_;
  }

 private:
  std::string file_name() const {
    return cat("rank-", zero_padded(rank_, 5), "-", part_.files.size(), ".h5");
  }

  void finish_file() {
    const Hdf5Image image = writer_.finish();
    part_.files.push_back(write_parts(folder_ / file_name(), image.parts(), image.size(), pace_));
    bytes_ = 0;
  }

  template <class Work>
  void attempt(Work work) {
    if (error_) return;
    try {
      work();
    } catch (const std::exception& error) {
      error_ = as_error(error);
    }
  }

  fs::path folder_;
  int rank_;
  const SaveOptions& options_;
  Pace& pace_;
  Hdf5Writer writer_;
  int64_t bytes_ = 0;
  Manifest part_;
  std::optional<Error> error_;
};

// Runs `work` on this rank; all ranks learn every rank's result or the first error.
struct Vote {
  std::optional<Error> error;
  std::vector<std::string> results;
};
Vote vote(Communicator& world, const std::function<std::string()>& work) {
  std::string mine;
  auto code = ExitCode::kDone;
  try {
    mine = work();
  } catch (const std::exception& error) {
    const Error own = as_error(error);
    code = own.code();
    mine = cat("rank ", world.rank(), ": ", own.what());
  }
  Vote vote;
  for (const std::string& text : gather_texts(world, cat(static_cast<int>(code), " ", mine))) {
    const size_t space = text.find(' ');
    const auto other = static_cast<ExitCode>(std::stoi(text.substr(0, space)));
    vote.results.push_back(text.substr(space + 1));
    if (other != ExitCode::kDone && !vote.error) vote.error = Error(other, vote.results.back());
  }
  return vote;
}

// Returns an empty folder for the files of a checkpoint whose place is `place`: the place itself,
// or a folder beside it where a checkpoint of the same step stands, which stays until this one
// counts.
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

Manifest joined(const CheckpointState& state, const std::vector<std::string>& parts) {
  Manifest manifest;
  manifest.state = state;
  for (const std::string& text : parts) {
    const Manifest part = manifest_from_json(json::parse(text));
    manifest.files.insert(manifest.files.end(), part.files.begin(), part.files.end());
    manifest.tensors.insert(manifest.tensors.end(), part.tensors.begin(), part.tensors.end());
  }
  return manifest;
}

}  // namespace

std::vector<int> owners_of_tensors(const ParameterStore& store, int num_ranks) {
  std::vector<double> elements;
  for (const auto& unit : store.units()) {
    for (const std::string& buffer : stored_buffers(*unit)) {
      for (const auto& parameter : unit->parameters()) {
        if (!has_buffer(*parameter, buffer)) continue;
        elements.push_back(
            static_cast<double>(c10::multiply_integers(parameter->spec().logical_shape)));
      }
    }
  }
  return balanced_owners(elements, num_ranks);
}

TensorSource tensors_of(const ParameterStore& store, Communicator& tensor, Communicator& world) {
  return [&](const TensorVisit& visit) {
    const std::vector<int> owners = owners_of_tensors(store, world.size());
    size_t next = 0;
    for (const auto& unit : store.units()) {
      for (const std::string& buffer : stored_buffers(*unit)) {
        for_each_logical(*unit, buffer, store.sharding(), tensor,
                         [&](const Parameter& parameter, const at::Tensor& logical) {
                           if (owners[next++] != world.rank()) return;
                           // Only a part of what was gathered stays, and a store stays as it is.
                           const bool is_gathered = store.sharding().num_shards() > 1;
                           visit(buffer, parameter.spec().name,
                                 is_gathered ? logical.clone() : logical);
                         });
      }
    }
  };
}

SaveResult save_tensors(const fs::path& checkpoints, const TensorSource& source,
                        const CheckpointState& state, const std::string& tokenizer_json,
                        const SaveOptions& options, Communicator& world) {
  Pace unhurried(1.0);
  Pace& pace = options.pace != nullptr ? *options.pace : unhurried;
  const fs::path place = checkpoint_path(checkpoints, state.step);
  const Vote ready = vote(
      world, [&]() -> std::string { return world.rank() == 0 ? make_room(place).string() : ""; });
  if (ready.error) return {ready.error, 0};
  const fs::path folder = ready.results[0];
  const Vote written = vote(world, [&] {
    ShareWriter writer(folder, world.rank(), options, pace);
    source([&](const std::string& buffer, const std::string& name, const at::Tensor& logical) {
      writer.add(buffer, name, logical);
    });
    const Manifest& part = writer.finish();
    for (const fs::path& record : options.records) sync_records(record);
    return to_json(part).dump();
  });
  SaveResult result;
  const Vote committed = vote(world, [&]() -> std::string {
    if (written.error) throw *written.error;
    if (world.rank() != 0) return "";
    if (options.before_commit) options.before_commit();
    Manifest manifest = joined(state, written.results);
    manifest.files.push_back(write_text(folder / "tokenizer.json", tokenizer_json, pace));
    write_text(folder / "manifest.json", manifest_text(manifest), pace);
    if (folder != place) put_in_place_of(folder, place);
    sync_folder(checkpoints);
    for (const Manifest::File& file : manifest.files) result.bytes += file.bytes;
    return "";
  });
  result.error = written.error ? written.error : committed.error;
  if (result.error && world.rank() == 0) {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }
  return result;
}

std::string save_checkpoint(const fs::path& checkpoints, const ParameterStore& store,
                            Communicator& tensor, const CheckpointState& state,
                            const std::string& tokenizer_json, Communicator& world) {
  const SaveResult result =
      save_tensors(checkpoints, tensors_of(store, tensor, world), state, tokenizer_json, {}, world);
  return result.error ? result.error->what() : "";
}

}  // namespace lmtrain
