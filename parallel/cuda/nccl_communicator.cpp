#include "parallel/cuda/nccl_communicator.h"

#include <array>
#include <chrono>
#include <exception>
#include <thread>

#include <ATen/ATen.h>
#include <ATen/cuda/CUDAEvent.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <nccl.h>

#include "base/error.h"
#include "base/failure_watcher.h"
#include "base/phase.h"
#include "base/text.h"
#include "parallel/cuda/stream_trace.h"
#include "parallel/operation.h"
#include "parallel/typed_gather.h"

namespace lmtrain {
namespace {

void check(ncclResult_t result, const std::string& what) {
  if (result == ncclSuccess || result == ncclInProgress) return;
  throw IoError(
      cat(what, " failed: ", ncclGetErrorString(result), ": ", ncclGetLastError(nullptr)));
}

ncclDataType_t nccl_type(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return ncclFloat32;
    case at::kDouble:
      return ncclFloat64;
    case at::kBFloat16:
      return ncclBfloat16;
    case at::kLong:
      return ncclInt64;
    default:
      TORCH_CHECK(false, "NCCL reductions take fp32, fp64, bf16 and int64, not ", type);
  }
}

constexpr double kWatchSeconds = 1;
// After an error, operations that take longer than this are considered stuck.
constexpr double kPatienceSeconds = 5;

// Returns what has failed on some rank of the communicator, or "" while all is well.
std::string failure_of(ncclComm_t comm) {
  ncclResult_t asynchronous = ncclSuccess;
  const ncclResult_t asked = ncclCommGetAsyncError(comm, &asynchronous);
  const ncclResult_t result = asked == ncclSuccess ? asynchronous : asked;
  if (result == ncclSuccess || result == ncclInProgress) return "";
  return cat(ncclGetErrorString(result), ": ", ncclGetLastError(comm));
}

bool comes_to_rest(const c10::cuda::CUDAStream& stream) noexcept {
  const double begin = monotonic_seconds();
  try {
    while (!stream.query()) {
      if (monotonic_seconds() - begin > kPatienceSeconds) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

// The work is done when its event on the communicator's stream has passed. The caller's stream
// waits for the event, but its thread does not.
class StreamWork : public Work {
 public:
  // Keeps `tensors` until the work is waited for. Then the caller's stream, which comes after the
  // operation, may free them at once. A mark on the communicator's stream (recordStream) would come
  // after operations that wait for later computing, and memory would pile up.
  StreamWork(Operation operation, std::vector<at::Tensor> tensors,
             const c10::cuda::CUDAStream& stream, ncclComm_t comm)
      : operation_(std::move(operation)),
        tensors_(std::move(tensors)),
        stream_(stream),
        comm_(comm) {
    event_.record(stream);
  }
  ~StreamWork() override {
    // Tensors are left only where nobody has waited for the work.
    for (const at::Tensor& tensor : tensors_)
      c10::cuda::CUDACachingAllocator::recordStream(tensor.storage().data_ptr(), stream_);
  }
  StreamWork(const StreamWork&) = delete;
  StreamWork& operator=(const StreamWork&) = delete;

  void wait() override {
    event_.block(c10::cuda::getCurrentCUDAStream());
    tensors_.clear();
    const std::string failure = failure_of(comm_);
    if (!failure.empty())
      throw IoError(cat("NCCL failed at or before ", to_text(operation_), ": ", failure));
  }

 private:
  Operation operation_;
  std::vector<at::Tensor> tensors_;
  c10::cuda::CUDAStream stream_;
  at::cuda::CUDAEvent event_;
  ncclComm_t comm_;
};

class NcclCommunicator : public Communicator {
 public:
  NcclCommunicator(ncclComm_t comm, std::string axis, int device_index,
                   std::shared_ptr<FailureWatcher> watcher)
      : comm_(comm),
        counter_(std::move(axis)),
        device_index_(static_cast<c10::DeviceIndex>(device_index)),
        stream_(c10::cuda::getStreamFromPool(/*isHighPriority=*/true, device_index_)),
        watcher_(std::move(watcher)) {
    check(ncclCommUserRank(comm_, &rank_), "ncclCommUserRank");
    check(ncclCommCount(comm_, &size_), "ncclCommCount");
    probe_ = watcher_->add([this] {
      const std::string failure = failure_of(comm_);
      return failure.empty() ? "" : cat("NCCL failed on axis ", counter_.axis(), ": ", failure);
    });
  }
  // All ranks of a group reach this together: after an error of one rank alone, the job has ended
  // before (parallel/rank_work.h), since ncclCommDestroy may wait for the others. After an error of
  // all ranks, operations that do not end are aborted.
  ~NcclCommunicator() override {
    watcher_->remove(probe_);
    watcher_.reset();  // the last communicator joins the thread
    if (std::uncaught_exceptions() == 0 || comes_to_rest(stream_)) {
      ncclCommDestroy(comm_);
    } else {
      ncclCommAbort(comm_);
    }
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  std::string name() const override { return "nccl"; }

  WorkPtr all_reduce(at::Tensor tensor, ReduceOp op) override {
    const ncclRedOp_t operation = op == ReduceOp::kSum ? ncclSum : ncclMax;
    return run(OperationKind::kAllReduce, {tensor}, [&](cudaStream_t stream) {
      return ncclAllReduce(tensor.data_ptr(), tensor.data_ptr(), count(tensor),
                           nccl_type(tensor.scalar_type()), operation, comm_, stream);
    });
  }

  WorkPtr reduce_scatter(at::Tensor output, at::Tensor input) override {
    return run(OperationKind::kReduceScatter, {input, output}, [&](cudaStream_t stream) {
      return ncclReduceScatter(input.data_ptr(), output.data_ptr(), count(output),
                               nccl_type(output.scalar_type()), ncclSum, comm_, stream);
    });
  }

  WorkPtr all_gather(at::Tensor output, at::Tensor input) override {
    return run(OperationKind::kAllGather, {output, input}, [&](cudaStream_t stream) {
      return ncclAllGather(input.data_ptr(), output.data_ptr(), input.nbytes(), ncclInt8, comm_,
                           stream);
    });
  }

  WorkPtr broadcast(at::Tensor tensor, int root) override {
    return run(OperationKind::kBroadcast, {tensor}, [&](cudaStream_t stream) {
      return ncclBroadcast(tensor.data_ptr(), tensor.data_ptr(), tensor.nbytes(), ncclInt8, root,
                           comm_, stream);
    });
  }

  WorkPtr send(at::Tensor tensor, int destination) override {
    return run(OperationKind::kSend, {tensor}, [&](cudaStream_t stream) {
      return ncclSend(tensor.data_ptr(), tensor.nbytes(), ncclInt8, destination, comm_, stream);
    });
  }

  WorkPtr recv(at::Tensor tensor, int source) override {
    return run(OperationKind::kRecv, {tensor}, [&](cudaStream_t stream) {
      return ncclRecv(tensor.data_ptr(), tensor.nbytes(), ncclInt8, source, comm_, stream);
    });
  }

  void barrier() override {
    const at::Tensor one =
        at::ones({1}, at::TensorOptions().dtype(at::kLong).device(at::kCUDA, device_index_));
    run(OperationKind::kBarrier, {one}, [&](cudaStream_t stream) {
      return ncclAllReduce(one.data_ptr(), one.data_ptr(), 1, ncclInt64, ncclSum, comm_, stream);
    })->wait();
    c10::cuda::getCurrentCUDAStream(device_index_).synchronize();
  }

  void set_trace(const std::shared_ptr<Trace>& trace) override {
    trace_ = trace;
    stream_trace_.reset();
    if (!trace_) return;
    stream_trace_ =
        std::make_shared<StreamTrace>(*trace_, cat("NCCL ", counter_.axis()), device_index_);
    trace_->add_source([spans = stream_trace_](Trace& to) { spans->drain(to); });
  }

  std::unique_ptr<Communicator> split(int color, const std::string& axis) override {
    ncclComm_t part = nullptr;
    check(ncclCommSplit(comm_, color, rank_, &part, nullptr),
          to_text(counter_.next(OperationKind::kSplit)));
    auto group = std::make_unique<NcclCommunicator>(part, axis, device_index_, watcher_);
    // A group of one rank has nothing to send, although layers call it like any other.
    if (group->size() == 1) return make_single_communicator();
    if (trace_) group->set_trace(trace_);
    return group;
  }

 private:
  static size_t count(const at::Tensor& tensor) { return static_cast<size_t>(tensor.numel()); }

  // Calls `start` with the stream; the operation begins when the caller's stream has come this far.
  // The first tensor is the largest.
  template <class Start>
  WorkPtr run(OperationKind kind, const std::vector<at::Tensor>& tensors, Start start) {
    Operation operation = counter_.next(kind, static_cast<int64_t>(tensors.front().nbytes()));
    const c10::cuda::CUDAGuard guard(device_index_);
    at::cuda::CUDAEvent ready;
    ready.record(c10::cuda::getCurrentCUDAStream());
    ready.block(stream_);
    for (const at::Tensor& tensor : tensors) {
      TORCH_CHECK(tensor.is_cuda() && tensor.is_contiguous(),
                  "NCCL moves contiguous CUDA tensors only");
    }
    if (stream_trace_) stream_trace_->begin(stream_);
    check(start(stream_.stream()), to_text(operation));
    if (stream_trace_) {
      stream_trace_->end(stream_, operation);
      stream_trace_->drain(*trace_);
    }
    return std::make_shared<StreamWork>(std::move(operation), tensors, stream_, comm_);
  }

  ncclComm_t comm_;
  OperationCounter counter_;
  c10::DeviceIndex device_index_;
  c10::cuda::CUDAStream stream_;
  int rank_ = 0;
  int size_ = 1;
  std::shared_ptr<FailureWatcher> watcher_;
  int probe_ = 0;
  std::shared_ptr<Trace> trace_;  // this and the next are null unless the run is traced
  std::shared_ptr<StreamTrace> stream_trace_;  // shared with the trace, which asks it for more
};

}  // namespace

std::unique_ptr<Communicator> make_nccl_communicator(
    Communicator& host, int device_index, std::function<void(const std::string&)> on_failure) {
  ncclUniqueId id = {};
  if (host.rank() == 0) check(ncclGetUniqueId(&id), "ncclGetUniqueId");
  id = broadcast_from(host, 0, id);
  host.barrier();  // some MPI libraries deadlock with NCCL's start-up without it
  const c10::cuda::CUDAGuard guard(static_cast<c10::DeviceIndex>(device_index));
  ncclComm_t comm = nullptr;
  check(ncclCommInitRank(&comm, host.size(), id, host.rank()), "ncclCommInitRank");
  return std::make_unique<NcclCommunicator>(
      comm, "world", device_index,
      std::make_shared<FailureWatcher>(kWatchSeconds, std::move(on_failure)));
}

}  // namespace lmtrain
