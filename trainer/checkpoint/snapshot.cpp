#include "trainer/checkpoint/snapshot.h"

#include <cstring>
#include <optional>

#include <ATen/ATen.h>

#include "base/error.h"
#include "base/text.h"
#include "parallel/fingerprint.h"
#include "parallel/logical_tensors.h"

namespace lmtrain {
namespace {

// Returns the fingerprint of what was copied, not of the copy.
uint64_t copy_on_host(const at::Tensor& from, const at::Tensor& to) {
  const auto* const source = static_cast<const char*>(from.const_data_ptr());
  auto* const target = static_cast<char*>(to.mutable_data_ptr());
  BlockHashes hashes(static_cast<int64_t>(from.nbytes()));
  hashes.for_each([&](int64_t block) {
    const int64_t first = hashes.first_byte(block);
    std::memcpy(target + first, source + first, hashes.count(block));
    hashes.hash(block, source);
  });
  return hashes.fingerprint();
}

// The same of a copy, on this thread alone.
uint64_t fingerprint_on_host(const at::Tensor& copy, Pace& pace) {
  const auto* const data = static_cast<const char*>(copy.const_data_ptr());
  BlockHashes hashes(static_cast<int64_t>(copy.nbytes()));
  for (int64_t block = 0; block < hashes.size(); ++block) {
    hashes.hash(block, data);
    if (block % 16 == 15) pace.rest();
  }
  return hashes.fingerprint();
}

}  // namespace

StoreSnapshot::StoreSnapshot(const ParameterStore& store, const std::vector<int>& owners, int rank,
                             int tensor_size)
    : rank_(rank), is_of_device_(store.device().is_cuda()) {
  const bool is_sharded = store.sharding().num_shards() > 1;
  size_t next = 0;
  for (const auto& unit : store.units()) {
    for (const std::string& buffer : stored_buffers(*unit)) {
      Piece shard{.buffer = buffer, .whole_elements = unit->numel()};
      for (const auto& parameter : unit->parameters()) {
        if (!has_buffer(*parameter, buffer)) continue;
        const int owner = owners[next++];
        if (is_sharded) {
          shard.parts.push_back({parameter->spec(), parameter->offset(), owner});
          continue;
        }
        // The ranks of a group of the tensor axis are neighbours (parallel/mesh.h).
        const bool is_needed =
            parameter->spec().is_cut() ? owner / tensor_size == rank / tensor_size : owner == rank;
        if (!is_needed) continue;
        take({.buffer = buffer, .parts = {{parameter->spec(), 0, owner}}},
             unit->elements(buffer, parameter->offset(), parameter->numel()));
      }
      if (is_sharded) take(std::move(shard), unit->whole_shard(buffer));
    }
  }
  if (!is_of_device_) return;
  for (Piece& piece : pieces_) {
    piece.fingerprint = static_cast<uint64_t>(piece.device_checksum.item<int64_t>());
    piece.device_checksum.reset();
  }
}

// On a GPU the copies are under way until the last checksum is known.
void StoreSnapshot::take(Piece piece, const at::Tensor& from) {
  const auto host = at::TensorOptions(from.scalar_type()).pinned_memory(is_of_device_);
  piece.copy = at::empty({from.numel()}, host);
  if (is_of_device_) {
    piece.device_checksum = word_sum(from);
    piece.copy.copy_(from, /*non_blocking=*/true);
  } else {
    piece.fingerprint = copy_on_host(from, piece.copy);
  }
  pieces_.push_back(std::move(piece));
}

std::vector<at::Tensor> StoreSnapshot::copies() const {
  std::vector<at::Tensor> copies;
  for (const Piece& piece : pieces_) copies.push_back(piece.copy);
  return copies;
}

void StoreSnapshot::for_each(Mesh& host, Pace& pace, const TensorVisit& visit) {
  std::optional<std::string> changed;
  for (Piece& piece : pieces_) {
    const uint64_t now = is_of_device_ ? static_cast<uint64_t>(word_sum(piece.copy).item<int64_t>())
                                       : fingerprint_on_host(piece.copy, pace);
    if (now != piece.fingerprint && !changed)
      changed = cat(piece.buffer, "/", piece.parts.front().spec.name);
    at::Tensor whole = piece.copy;
    if (piece.whole_elements > 0) {
      whole = at::empty({piece.whole_elements}, piece.copy.options().pinned_memory(false));
      host.host_data().all_gather(whole, piece.copy)->wait();
    }
    for (const Part& part : piece.parts) {
      const at::Tensor local =
          whole.narrow(0, part.offset, part.spec.local_numel()).view(part.spec.local_shape());
      const at::Tensor logical = part.spec.logical_from(
          part.spec.is_cut() ? gather_parts(host.host_tensor(), local) : std::vector{local});
      if (part.owner != rank_) continue;
      visit(piece.buffer, part.spec.name, piece.whole_elements > 0 ? logical.clone() : logical);
    }
    piece.copy.reset();  // frees it
    pace.rest();
  }
  pieces_.clear();
  if (changed) {
    throw IoError(cat("the copy of ", *changed,
                      " in memory is not what was copied (failing memory?); nothing of it counts"));
  }
}

}  // namespace lmtrain
