#include "parallel/mesh.h"

#include "parallel/checked_communicator.h"

namespace lmtrain {
namespace {

// Makes the group of the ranks of `world` with this color, which differ only on that axis.
std::unique_ptr<Communicator> axis_group(Communicator& world, Communicator& host_world, int color,
                                         const std::string& axis, bool check) {
  std::unique_ptr<Communicator> group = world.split(color, axis);
  if (!check) return group;
  return make_checked_communicator(std::move(group), host_world.split(color, axis_of_checks(axis)),
                                   axis);
}

}  // namespace

Mesh::Mesh(Communicator& host_world, Communicator& device_world, int tensor_size, bool check)
    : host_world_(host_world) {
  const int data_color = host_world.rank() % tensor_size;
  const int tensor_color = host_world.rank() / tensor_size;
  host_data_ = axis_group(host_world, host_world, data_color, "host_data", check);
  host_tensor_ = axis_group(host_world, host_world, tensor_color, "host_tensor", check);
  data_ = axis_group(device_world, host_world, data_color, "data", check);
  tensor_ = axis_group(device_world, host_world, tensor_color, "tensor", check);
}

}  // namespace lmtrain
