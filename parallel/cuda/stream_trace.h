// Finds out when operations ran on a CUDA stream, by events around each that are read when they
// have passed. The host never waits for the operations.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include <ATen/cuda/CUDAEvent.h>
#include <c10/cuda/CUDAStream.h>

#include "base/trace.h"
#include "parallel/operation.h"

namespace lmtrain {

// Traces one stream as one lane of a trace. Any thread may call it.
class StreamTrace {
 public:
  StreamTrace(Trace& trace, const std::string& lane, c10::DeviceIndex device_index);

  // To be called before an operation is put on the stream, and after.
  void begin(const c10::cuda::CUDAStream& stream);
  void end(const c10::cuda::CUDAStream& stream, const Operation& operation);
  // Adds the operations that have ended to the trace.
  void drain(Trace& trace);

 private:
  using Event = at::cuda::CUDAEvent;
  // An event and its time. Events only tell how long after another event they passed.
  struct Reference {
    Event event{cudaEventDefault};
    double seconds = 0;
  };
  struct Span {
    Event begin{cudaEventDefault};
    Event end{cudaEventDefault};
    Operation operation;
    std::shared_ptr<Reference> reference;
  };

  void renew_reference();

  const int lane_;
  c10::cuda::CUDAStream idle_stream_;  // events on it pass at once
  std::mutex mutex_;
  std::shared_ptr<Reference> reference_;
  Span next_;
  std::deque<Span> passing_;
  int64_t num_dropped_ = 0;
};

}  // namespace lmtrain
