// An operation of a group of ranks, in the form in which errors, checks and traces name it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/trace.h"

namespace lmtrain {

enum class OperationKind : int64_t {
  kAllReduce,
  kReduceScatter,
  kAllGather,
  kBroadcast,
  kBarrier,
  kSplit,
  kSend,
  kRecv,
};
// Returns a name such as "all_reduce".
std::string_view operation_name(OperationKind kind);

struct Operation {
  OperationKind kind = OperationKind::kBarrier;
  std::string axis;
  int64_t bytes = 0;     // of the larger tensor: reduce_scatter's input, all_gather's output
  int64_t sequence = 0;  // counts from 1
};

// Returns text such as "all_reduce 17 on axis tensor (3.0 MiB)", without a size where nothing is
// moved.
std::string to_text(const Operation& operation);

// Returns the span that a trace shows for the operation.
TraceSpan span_of(const Operation& operation, int lane, double begin_seconds, double end_seconds);

// Numbers the operations of one group. All its ranks call the same collectives, so a number means
// the same collective on each of them. Messages between two ranks are counted separately.
class OperationCounter {
 public:
  explicit OperationCounter(std::string axis) : axis_(std::move(axis)) {}

  Operation next(OperationKind kind, int64_t bytes = 0);
  const std::string& axis() const { return axis_; }

 private:
  std::string axis_;
  int64_t collectives_ = 0;
  int64_t messages_ = 0;
};

}  // namespace lmtrain
