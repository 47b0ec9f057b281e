#include "parallel/link_speed.h"

#include <algorithm>
#include <vector>

#include <ATen/ATen.h>

#include "base/phase.h"
#include "parallel/typed_gather.h"

namespace lmtrain {
namespace {

constexpr int64_t kFirstBytes = 256 << 10;
constexpr int64_t kMostBytes = 256 << 20;
constexpr double kLongEnough = 0.2;  // seconds
constexpr int kPings = 100;

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

at::Tensor bytes(int64_t count) { return at::zeros({count / 8}, at::kLong); }

// Until the device has done what it was given.
void wait_for(const at::Tensor& tensor) { tensor.flatten()[0].item<double>(); }

// There and back.
double ping_seconds(Communicator& world, int peer, bool begins, const at::Tensor& message) {
  const double begin = monotonic_seconds();
  if (begins) world.send(message, peer)->wait();
  world.recv(message, peer)->wait();
  if (!begins) world.send(message, peer)->wait();
  return monotonic_seconds() - begin;
}

LinkSpeed measure(Communicator& world, int peer, bool begins) {
  LinkSpeed speed;
  std::vector<double> pings;
  const at::Tensor small = bytes(8);
  for (int i = 0; i < kPings; ++i) pings.push_back(ping_seconds(world, peer, begins, small));
  speed.latency_seconds = median(pings) / 2;
  for (int64_t size = kFirstBytes; size <= kMostBytes; size *= 2) {
    const at::Tensor message = bytes(size);
    const double seconds = ping_seconds(world, peer, begins, message) / 2;
    speed.bytes_per_second = std::max(speed.bytes_per_second, static_cast<double>(size) / seconds);
    // The one that began decides for both.
    const at::Tensor goes_on = at::full({1}, seconds < kLongEnough ? 1 : 0, at::kLong);
    begins ? world.send(goes_on, peer)->wait() : world.recv(goes_on, peer)->wait();
    if (goes_on.item<int64_t>() == 0) break;
  }
  return speed;
}

}  // namespace

LinkSpeed measure_link(Communicator& world, int a, int b) {
  LinkSpeed speed;
  if (world.rank() == a) speed = measure(world, b, true);
  if (world.rank() == b) speed = measure(world, a, false);
  return broadcast_from(world, a, speed);
}

double measure_all_reduce(Communicator& group, const at::Tensor& tensor) {
  constexpr int kTimes = 5;
  std::vector<double> seconds;
  for (int i = 0; i <= kTimes; ++i) {
    group.barrier();
    wait_for(tensor);
    const double begin = monotonic_seconds();
    group.all_reduce(tensor, ReduceOp::kSum)->wait();
    wait_for(tensor);
    if (i > 0) seconds.push_back(monotonic_seconds() - begin);  // the first one makes buffers
  }
  return median(seconds);
}

}  // namespace lmtrain
