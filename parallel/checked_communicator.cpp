#include "parallel/checked_communicator.h"

#include <algorithm>
#include <utility>

#include <ATen/ATen.h>

#include "base/error.h"
#include "base/text.h"
#include "parallel/operation.h"
#include "parallel/typed_gather.h"

namespace lmtrain {
namespace {

constexpr int64_t kNone = -1;

// The call that a rank is about to make, as it tells the others (gather_all).
struct Call {
  int64_t kind = 0;
  int64_t type = kNone;    // of the elements
  int64_t numel = 0;       // of the larger tensor
  int64_t option = kNone;  // the root of a broadcast, the ReduceOp of an all_reduce
  int64_t sequence = 0;

  bool operator==(const Call&) const = default;
};

Call call_of(OperationKind kind, const at::Tensor& tensor, int64_t option = kNone) {
  return {static_cast<int64_t>(kind), static_cast<int64_t>(tensor.scalar_type()), tensor.numel(),
          option};
}

// Returns a name such as "float" or "bfloat16".
std::string type_text(int64_t type) {
  return in_lower_case(at::toString(static_cast<at::ScalarType>(type)));
}

std::string option_text(const Call& call) {
  if (call.option == kNone) return "";
  if (static_cast<OperationKind>(call.kind) == OperationKind::kBroadcast)
    return cat(" from rank ", call.option);
  return call.option == static_cast<int64_t>(ReduceOp::kMax) ? " for the maximum" : "";
}

// Returns text such as "all_reduce of 1,024 float elements".
std::string to_text(const Call& call) {
  const std::string_view name = operation_name(static_cast<OperationKind>(call.kind));
  if (call.type == kNone) return std::string(name);
  return cat(name, " of ", with_commas(call.numel), " ", type_text(call.type),
             call.numel == 1 ? " element" : " elements", option_text(call));
}

class CheckedCommunicator : public Communicator {
 public:
  CheckedCommunicator(std::unique_ptr<Communicator> group, std::unique_ptr<Communicator> host,
                      std::string axis)
      : group_(std::move(group)), host_(std::move(host)), axis_(std::move(axis)) {}

  int rank() const override { return group_->rank(); }
  int size() const override { return group_->size(); }
  std::string name() const override { return cat("checked ", group_->name()); }

  WorkPtr all_reduce(at::Tensor tensor, ReduceOp op) override {
    agree_on(call_of(OperationKind::kAllReduce, tensor, static_cast<int64_t>(op)));
    return group_->all_reduce(std::move(tensor), op);
  }
  WorkPtr reduce_scatter(at::Tensor output, at::Tensor input) override {
    agree_on(call_of(OperationKind::kReduceScatter, input));
    return group_->reduce_scatter(std::move(output), std::move(input));
  }
  WorkPtr all_gather(at::Tensor output, at::Tensor input) override {
    agree_on(call_of(OperationKind::kAllGather, output));
    return group_->all_gather(std::move(output), std::move(input));
  }
  WorkPtr broadcast(at::Tensor tensor, int root) override {
    agree_on(call_of(OperationKind::kBroadcast, tensor, root));
    return group_->broadcast(std::move(tensor), root);
  }
  WorkPtr send(at::Tensor tensor, int destination) override {
    return group_->send(std::move(tensor), destination);
  }
  WorkPtr recv(at::Tensor tensor, int source) override {
    return group_->recv(std::move(tensor), source);
  }
  void barrier() override {
    agree_on({.kind = static_cast<int64_t>(OperationKind::kBarrier)});
    group_->barrier();
  }
  void set_timeout(double seconds) override {
    group_->set_timeout(seconds);
    host_->set_timeout(seconds);
  }
  void set_trace(const std::shared_ptr<Trace>& trace) override {
    host_->set_trace(trace);
    group_->set_trace(trace);
  }
  std::unique_ptr<Communicator> split(int color, const std::string& axis) override {
    agree_on({.kind = static_cast<int64_t>(OperationKind::kSplit)});
    return make_checked_communicator(group_->split(color, axis),
                                     host_->split(color, axis_of_checks(axis)), axis);
  }

 private:
  // Returns when all ranks are about to call the same operation.
  void agree_on(Call mine) {
    mine.sequence = ++num_calls_;
    const std::vector<Call> calls = exchange(mine);
    const auto other = std::find_if(calls.begin(), calls.end(),
                                    [&](const Call& call) { return call != calls.front(); });
    if (other == calls.end()) return;
    throw Error(
        ExitCode::kFailure,
        cat("collective ", mine.sequence, " on axis ", axis_, " differs: rank 0 calls ",
            to_text(calls.front()), ", rank ", other - calls.begin(), " calls ", to_text(*other)));
  }

  std::vector<Call> exchange(const Call& mine) {
    try {
      return gather_all(*host_, mine);
    } catch (const Error& error) {
      throw Error(error.code(), cat("before collective ", mine.sequence, " on axis ", axis_, ", ",
                                    to_text(mine), ": ", error.what()));
    }
  }

  std::unique_ptr<Communicator> group_;
  std::unique_ptr<Communicator> host_;
  std::string axis_;
  int64_t num_calls_ = 0;
};

}  // namespace

std::unique_ptr<Communicator> make_checked_communicator(std::unique_ptr<Communicator> group,
                                                        std::unique_ptr<Communicator> host,
                                                        const std::string& axis) {
  if (group->size() == 1) return group;
  return std::make_unique<CheckedCommunicator>(std::move(group), std::move(host), axis);
}

std::string axis_of_checks(const std::string& axis) { return axis + " check"; }

}  // namespace lmtrain
