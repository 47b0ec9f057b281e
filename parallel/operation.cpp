#include "parallel/operation.h"

#include <array>

#include "base/text.h"

namespace lmtrain {

std::string_view operation_name(OperationKind kind) {
  static constexpr std::array<std::string_view, 8> kNames = {
      "all_reduce", "reduce_scatter", "all_gather", "broadcast",
      "barrier",    "split",          "send",       "recv"};
  return kNames[static_cast<size_t>(kind)];
}

std::string to_text(const Operation& operation) {
  const std::string name =
      cat(operation_name(operation.kind), " ", operation.sequence, " on axis ", operation.axis);
  return operation.bytes > 0 ? cat(name, " (", human_bytes(operation.bytes), ")") : name;
}

TraceSpan span_of(const Operation& operation, int lane, double begin_seconds, double end_seconds) {
  return {operation_name(operation.kind),
          "operation",
          lane,
          begin_seconds,
          end_seconds,
          operation.axis,
          operation.bytes,
          operation.sequence};
}

Operation OperationCounter::next(OperationKind kind, int64_t bytes) {
  const bool is_message = kind == OperationKind::kSend || kind == OperationKind::kRecv;
  return {kind, axis_, bytes, is_message ? ++messages_ : ++collectives_};
}

}  // namespace lmtrain
