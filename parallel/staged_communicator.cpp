#include "parallel/staged_communicator.h"

#include <deque>
#include <utility>

#include <ATen/ATen.h>

#include "base/text.h"

namespace lmtrain {
namespace {

at::Tensor host_like(const at::Tensor& tensor) {
  return at::empty(tensor.sizes(),
                   tensor.options().device(at::kCPU).pinned_memory(tensor.is_cuda()));
}

at::Tensor host_copy(const at::Tensor& tensor) {
  at::Tensor copy = host_like(tensor);
  copy.copy_(tensor);  // waits for the caller's stream
  return copy;
}

// An operation of the host's group, and the tensor that its result is copied to.
class StagedWork : public Work {
 public:
  StagedWork(WorkPtr inner, at::Tensor result, at::Tensor destination)
      : inner_(std::move(inner)),
        result_(std::move(result)),
        destination_(std::move(destination)) {}

  void wait() override {
    inner_->wait();
    if (destination_.defined()) destination_.copy_(result_);
    destination_ = at::Tensor();
    result_ = at::Tensor();
  }

 private:
  WorkPtr inner_;
  at::Tensor result_;
  at::Tensor destination_;
};

class StagedCommunicator : public Communicator {
 public:
  explicit StagedCommunicator(Communicator& host) : host_(host) {}
  explicit StagedCommunicator(std::unique_ptr<Communicator> host)
      : owned_(std::move(host)), host_(*owned_) {}

  int rank() const override { return host_.rank(); }
  int size() const override { return host_.size(); }
  std::string name() const override { return cat("staged ", host_.name()); }

  WorkPtr all_reduce(at::Tensor tensor, ReduceOp op) override {
    const at::Tensor copy = host_copy(tensor);
    return bounded(staged(host_.all_reduce(copy, op), copy, tensor));
  }

  WorkPtr reduce_scatter(at::Tensor output, at::Tensor input) override {
    const at::Tensor result = host_like(output);
    return bounded(staged(host_.reduce_scatter(result, host_copy(input)), result, output));
  }

  WorkPtr all_gather(at::Tensor output, at::Tensor input) override {
    const at::Tensor result = host_like(output);
    return bounded(staged(host_.all_gather(result, host_copy(input)), result, output));
  }

  WorkPtr broadcast(at::Tensor tensor, int root) override {
    const at::Tensor copy = host_copy(tensor);
    return bounded(staged(host_.broadcast(copy, root), copy, tensor));
  }

  WorkPtr send(at::Tensor tensor, int destination) override {
    return staged(host_.send(host_copy(tensor), destination), {}, {});
  }

  WorkPtr recv(at::Tensor tensor, int source) override {
    const at::Tensor copy = host_like(tensor);
    return staged(host_.recv(copy, source), copy, tensor);
  }

  void barrier() override { host_.barrier(); }
  void set_timeout(double seconds) override { host_.set_timeout(seconds); }
  void set_trace(const std::shared_ptr<Trace>& trace) override { host_.set_trace(trace); }

  std::unique_ptr<Communicator> split(int color, const std::string& axis) override {
    std::unique_ptr<Communicator> part = host_.split(color, axis);
    if (part->size() == 1) return part;  // it moves nothing, so it needs no copies
    return std::make_unique<StagedCommunicator>(std::move(part));
  }

 private:
  static WorkPtr staged(WorkPtr inner, at::Tensor result, at::Tensor destination) {
    return std::make_shared<StagedWork>(std::move(inner), std::move(result),
                                        std::move(destination));
  }

  // Bounds the operations that all ranks call in the same order: only a few may be under way at
  // once, because each holds pinned copies.
  WorkPtr bounded(WorkPtr work) {
    under_way_.push_back(work);
    if (under_way_.size() > kMostUnderWay) {
      under_way_.front()->wait();
      under_way_.pop_front();
    }
    return work;
  }

  static constexpr size_t kMostUnderWay = 2;
  std::unique_ptr<Communicator> owned_;
  Communicator& host_;
  std::deque<WorkPtr> under_way_;
};

}  // namespace

std::unique_ptr<Communicator> make_staged_communicator(Communicator& host) {
  return std::make_unique<StagedCommunicator>(host);
}

}  // namespace lmtrain
