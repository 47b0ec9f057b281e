#include "parallel/exchange.h"

#include <ATen/ATen.h>

namespace lmtrain {
namespace {

int64_t num_elements(const std::vector<at::Tensor>& pieces) {
  int64_t total = 0;
  for (const at::Tensor& piece : pieces) total += piece.numel();
  return total;
}

void unpack(const at::Tensor& packed, const std::vector<at::Tensor>& pieces) {
  int64_t at = 0;
  for (at::Tensor piece : pieces) {
    piece.copy_(packed.narrow(0, at, piece.numel()));
    at += piece.numel();
  }
}

}  // namespace

void exchange(Communicator& group, const Parcels& parcels) {
  struct Received {
    at::Tensor packed;
    const std::vector<at::Tensor>* pieces;
    WorkPtr work;
  };
  std::vector<WorkPtr> sends;
  std::vector<Received> received;
  const int size = group.size();
  const auto send = [&](int peer) {
    const auto& pieces = parcels.outgoing[static_cast<size_t>(peer)];
    if (num_elements(pieces) > 0) sends.push_back(group.send(at::cat(pieces), peer));
  };
  const auto receive = [&](int peer) {
    const auto& pieces = parcels.incoming[static_cast<size_t>(peer)];
    const int64_t count = num_elements(pieces);
    if (count == 0) return;
    const at::Tensor packed = at::empty({count}, pieces.front().options());
    received.push_back({packed, &pieces, group.recv(packed, peer)});
  };
  for (int round = 0; round < size; ++round) {
    const int peer = (round - group.rank() + size) % size;
    if (peer == group.rank()) continue;
    // The lower one speaks first.
    if (group.rank() < peer) send(peer);
    receive(peer);
    if (group.rank() > peer) send(peer);
  }
  for (const WorkPtr& work : sends) work->wait();
  for (const Received& from : received) {
    from.work->wait();
    unpack(from.packed, *from.pieces);
  }
}

}  // namespace lmtrain
