#include "parallel/mesh.h"

namespace lmtrain {

Mesh::Mesh(Communicator& host_world, Communicator& device_world, int tensor_size)
    : host_world_(host_world),
      host_data_(host_world.split(host_world.rank() % tensor_size, "host_data")),
      data_(device_world.split(device_world.rank() % tensor_size, "data")),
      tensor_(device_world.split(device_world.rank() / tensor_size, "tensor")) {}

}  // namespace lmtrain
