// Collective operations of a group of ranks, after the small groups of MLX and c10d: about ten
// operations, in an object that is passed in and never global. There are three back ends: one rank
// (single), Open MPI for CPU tensors, and NCCL for CUDA.
//
// Every rank of the group calls the same operations in the same order. Tensors are contiguous, and
// the caller does not touch them until wait(). A failure throws Error; the program then ends the
// whole job.
#pragma once

#include <memory>
#include <string>

#include <ATen/core/Tensor.h>

namespace lmtrain {

class Trace;

enum class ReduceOp { kSum, kMax };

// An operation under way.
class Work {
 public:
  virtual ~Work() = default;
  // Returns when the result may be used by the caller's thread (CPU) or current stream (CUDA).
  // Rethrows the operation's error.
  virtual void wait() = 0;
};
using WorkPtr = std::shared_ptr<Work>;

class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  // Returns "single", "mpi" or "nccl".
  virtual std::string name() const = 0;

  // Works in place. Sums run in rank order: in fp64 for fp64, in fp32 for fp32 and bf16, and
  // exactly for int64.
  virtual WorkPtr all_reduce(at::Tensor tensor, ReduceOp op) = 0;
  // `input` holds size() equal parts; `output` becomes the sum of part rank() over all ranks,
  // bit-equal to that part of an all_reduce.
  virtual WorkPtr reduce_scatter(at::Tensor output, at::Tensor input) = 0;
  // `output` becomes the inputs of all ranks, in rank order.
  virtual WorkPtr all_gather(at::Tensor output, at::Tensor input) = 0;
  virtual WorkPtr broadcast(at::Tensor tensor, int root) = 0;
  virtual WorkPtr send(at::Tensor tensor, int destination) = 0;
  virtual WorkPtr recv(at::Tensor tensor, int source) = 0;
  virtual void barrier() = 0;
  // An operation that waits longer than this for other ranks fails with ExitCode::kHang; 0 means
  // that it never does. This holds for all groups that were split from the same one. Back ends
  // whose operations do not wait on the host ignore it.
  virtual void set_timeout(double seconds) { static_cast<void>(seconds); }
  // From now on, operations become spans of this trace when they are done; null ends it. This holds
  // for the same groups as the timeout; with NCCL, for this group and those that are split from it
  // later.
  virtual void set_trace(const std::shared_ptr<Trace>& trace) { static_cast<void>(trace); }
  // The ranks of equal color form a group, ordered by their rank in this group. Errors, checks and
  // traces call the group by `axis` ("data", "tensor"); the group of all ranks is "world".
  virtual std::unique_ptr<Communicator> split(int color, const std::string& axis) = 0;
};

// Makes a group of one rank.
std::unique_ptr<Communicator> make_single_communicator();

// Returns the tensor of every rank, in rank order. All have one shape and type. A group of one rank
// copies nothing.
std::vector<at::Tensor> gather_parts(Communicator& group, const at::Tensor& mine);

// Returns the text of every rank, in rank order. For records and errors, not for the training step.
std::vector<std::string> gather_texts(Communicator& group, const std::string& mine);

// Returns the text of rank 0 to every rank.
std::string broadcast_text(Communicator& group, const std::string& mine);

}  // namespace lmtrain
