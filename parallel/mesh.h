// The ranks of a job as a grid with named axes (as in Mesh-TensorFlow and PyTorch's DeviceMesh).
// Layers get the groups of the axes; an axis of size one runs the same code.
#pragma once

#include <memory>

#include "parallel/communicator.h"

namespace lmtrain {

// A group of an axis holds the ranks that differ only in their place on that axis.
class Mesh {
 public:
  // Ranks are numbered with the tensor axis innermost: rank = data_rank * tensor_size +
  // tensor_rank. `tensor_size` must divide world.size(). Pipeline and context axes will come
  // between them. `device_world` moves the tensors of the model's device and may be `host_world`
  // itself; both must outlive the mesh. With `check`, the ranks of an axis compare the operations
  // that they are about to run (parallel/checked_communicator.h).
  Mesh(Communicator& host_world, Communicator& device_world, int tensor_size, bool check = false);

  // For CPU tensors: counts, losses, texts.
  Communicator& host_world() { return host_world_; }
  Communicator& host_data() { return *host_data_; }
  Communicator& host_tensor() { return *host_tensor_; }
  // For tensors on the model's device.
  Communicator& data() { return *data_; }
  Communicator& tensor() { return *tensor_; }

 private:
  Communicator& host_world_;
  std::unique_ptr<Communicator> host_data_;
  std::unique_ptr<Communicator> host_tensor_;
  std::unique_ptr<Communicator> data_;
  std::unique_ptr<Communicator> tensor_;
};

}  // namespace lmtrain
