// What a rank gives to a checkpoint, copied to the host at one moment. Training goes on after that
// copy, while another thread writes the checkpoint (CheckFreq; Mohan et al., FAST 2021).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "base/pace.h"
#include "parallel/mesh.h"
#include "parallel/parameter_store.h"
#include "trainer/checkpoint/save.h"

namespace lmtrain {

class StoreSnapshot {
 public:
  // Copies this rank's shard of each unit or, where units are not cut over the data axis, those
  // tensors that this rank writes and its part of those that its group of the tensor axis writes:
  // in every layout about a checkpoint's bytes over all ranks. Where the store is on a GPU the
  // copies are pinned. `owners` as owners_of_tensors gives them.
  StoreSnapshot(const ParameterStore& store, const std::vector<int>& owners, int rank,
                int tensor_size);

  std::vector<at::Tensor> copies() const;  // flat, in the order in which they are visited

  // A TensorSource of the copies (save.h), to be called once: each copy is freed when it has been
  // visited. Collective over the axes of `host`, whose groups no other thread may use meanwhile.
  // Throws IoError at its end where a copy is not what was copied.
  void for_each(Mesh& host, Pace& pace, const TensorVisit& visit);

 private:
  // A tensor within a piece.
  struct Part {
    ParameterSpec spec;
    int64_t offset = 0;  // of its first element, in the whole piece
    int owner = 0;       // the rank that writes it
  };
  // What is copied at once: a shard of a unit, or this rank's part of one tensor.
  struct Piece {
    std::string buffer;
    at::Tensor copy;             // flat, on the host
    int64_t whole_elements = 0;  // of the unit, over all shards; 0: the copy is the whole piece
    uint64_t fingerprint = 0;    // of what was copied
    at::Tensor device_checksum;  // on a GPU: the same, until it is known
    std::vector<Part> parts;
  };

  void take(Piece piece, const at::Tensor& from);

  int rank_;
  bool is_of_device_;
  std::vector<Piece> pieces_;
};

}  // namespace lmtrain
