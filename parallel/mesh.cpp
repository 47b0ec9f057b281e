#include "parallel/mesh.h"

namespace lmtrain {

Mesh::Mesh(Communicator& host_world, Communicator& device_world, int tensor_size)
    : host_world_(host_world),
      host_data_(host_world.split(host_world.rank() % tensor_size)),
      host_tensor_(host_world.split(host_world.rank() / tensor_size)),
      data_(device_world.split(device_world.rank() % tensor_size)),
      tensor_(device_world.split(device_world.rank() / tensor_size)) {}

}  // namespace lmtrain
