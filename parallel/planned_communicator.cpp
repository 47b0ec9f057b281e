#include "parallel/planned_communicator.h"

#include <stdexcept>

namespace lmtrain {
namespace {

class PlannedCommunicator : public Communicator {
 public:
  explicit PlannedCommunicator(int size) : size_(size) {}
  int rank() const override { return 0; }
  int size() const override { return size_; }
  std::string name() const override { return "planned"; }

  WorkPtr all_reduce(at::Tensor, ReduceOp) override { return refuse(); }
  WorkPtr reduce_scatter(at::Tensor, at::Tensor) override { return refuse(); }
  WorkPtr all_gather(at::Tensor, at::Tensor) override { return refuse(); }
  WorkPtr broadcast(at::Tensor, int) override { return refuse(); }
  WorkPtr send(at::Tensor, int) override { return refuse(); }
  WorkPtr recv(at::Tensor, int) override { return refuse(); }
  void barrier() override { refuse(); }
  std::unique_ptr<Communicator> split(int, const std::string&) override {
    refuse();
    return nullptr;
  }

 private:
  static WorkPtr refuse() {
    throw std::logic_error("a planned group has no ranks that could communicate");
  }

  int size_;
};

}  // namespace

std::unique_ptr<Communicator> make_planned_communicator(int size) {
  return std::make_unique<PlannedCommunicator>(size);
}

}  // namespace lmtrain
