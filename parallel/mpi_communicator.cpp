#include "parallel/mpi_communicator.h"

#include <array>
#include <chrono>

#include <ATen/ATen.h>
#include <sys/prctl.h>

#include "base/error.h"
#include "base/phase.h"
#include "base/text.h"
#include "parallel/operation.h"
#include "parallel/rank_sum.h"

namespace lmtrain {

CommunicationThread::CommunicationThread() : thread_([this] { run(); }) {}

CommunicationThread::~CommunicationThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

std::shared_future<void> CommunicationThread::submit(std::function<void()> task) {
  std::packaged_task<void()> packaged(std::move(task));
  std::shared_future<void> done = packaged.get_future().share();
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(packaged));
  }
  wake_.notify_one();
  return done;
}

void CommunicationThread::run() {
  prctl(PR_SET_TIMERSLACK, 1000);  // ns; the default would make short sleeps five times as long
  while (true) {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    std::packaged_task<void()> task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
  }
}

namespace {

// The most bytes of one message, since MPI counts are int.
constexpr int64_t kMessageBytes = int64_t{64} << 20;
// Part boundaries are multiples of this many elements (a cache line of bf16).
constexpr int64_t kPartAlignment = 32;

void check(int result, const std::string& what) {
  if (result == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(result, text.data(), &length);
  throw IoError(cat(what, " failed: ", std::string(text.data(), static_cast<size_t>(length))));
}

class FutureWork : public Work {
 public:
  // `waits`, if there is one, is told how long wait() takes.
  FutureWork(std::shared_future<void> done, RankActivity* waits)
      : done_(std::move(done)), waits_(waits) {}
  void wait() override {
    if (waits_ == nullptr) return done_.get();
    {
      const RankActivity::Waiting waiting(*waits_);
      done_.wait();
    }
    done_.get();
  }

 private:
  std::shared_future<void> done_;
  RankActivity* waits_;
};

// The messages of an operation that is under way. Waiting for them spins only for a short time.
class Requests {
 public:
  Requests(const Operation& operation, double timeout_seconds)
      : operation_(operation), timeout_seconds_(timeout_seconds) {}

  MPI_Request* add() { return &requests_.emplace_back(); }

  // `result` is that of the call named `call`, which started a message or asked for its state.
  void check(int result, const char* call) const {
    if (result != MPI_SUCCESS) lmtrain::check(result, cat(call, " of ", to_text(operation_)));
  }

  void wait() {
    // Open MPI looks at its TCP sockets only in every eighth or so of such calls. With one call
    // between two sleeps a message between hosts would take a millisecond; in a long wait many
    // calls would slow the neighbours.
    constexpr int kCallsAtFirst = 16;
    constexpr int kCallsLater = 4;
    constexpr auto kAtFirst = std::chrono::milliseconds(2);
    const auto start = std::chrono::steady_clock::now();
    auto waited = start - start;
    while (!are_done(waited < kAtFirst ? kCallsAtFirst : kCallsLater)) {
      waited = std::chrono::steady_clock::now() - start;
      if (waited < std::chrono::microseconds(20)) continue;
      if (timeout_seconds_ > 0 && waited > std::chrono::duration<double>(timeout_seconds_)) {
        throw Error(ExitCode::kHang,
                    cat("waited more than ", timeout_seconds_, " s in ", to_text(operation_),
                        " for the other ranks: one of them hangs or is far behind "
                        "(parallel.timeout_seconds)"));
      }
      std::this_thread::sleep_for(std::chrono::microseconds(waited < kAtFirst ? 10 : 100));
    }
    requests_.clear();
  }

  void reserve(size_t count) { requests_.reserve(count); }

 private:
  bool are_done(int calls) {
    int done = 0;
    for (int i = 0; i < calls && done == 0; ++i) {
      check(MPI_Testall(static_cast<int>(requests_.size()), requests_.data(), &done,
                        MPI_STATUSES_IGNORE),
            "MPI_Testall");
    }
    return done != 0;
  }

  const Operation& operation_;
  double timeout_seconds_;
  std::vector<MPI_Request> requests_;
};

int64_t num_bytes(const at::Tensor& tensor) { return static_cast<int64_t>(tensor.nbytes()); }

char* bytes_of(const at::Tensor& tensor) { return static_cast<char*>(tensor.data_ptr()); }

void require_plain(const at::Tensor& tensor) {
  TORCH_CHECK(tensor.is_cpu() && tensor.is_contiguous(), "MPI moves contiguous CPU tensors only");
}

// Marks the enclosing block as the execution of an operation.
class OperationScope {
 public:
  OperationScope(const CommunicationThread& thread, const Operation& operation)
      : trace_(thread.trace.get()),
        activity_(thread.activity.get()),
        lane_(thread.lane),
        operation_(operation),
        begin_(trace_ != nullptr ? monotonic_seconds() : 0) {
    if (activity_ != nullptr) activity_->operation_begins(lane_, operation);
  }
  ~OperationScope() {
    if (activity_ != nullptr) activity_->operation_ends(lane_);
    if (trace_ == nullptr) return;
    trace_->add(span_of(operation_, Trace::kCommunication, begin_, monotonic_seconds()));
  }
  OperationScope(const OperationScope&) = delete;
  OperationScope& operator=(const OperationScope&) = delete;

 private:
  Trace* trace_;
  RankActivity* activity_;
  RankActivity::Lane lane_;
  const Operation& operation_;
  double begin_;
};

class MpiCommunicator : public Communicator {
 public:
  MpiCommunicator(MPI_Comm comm, std::string axis, std::shared_ptr<CommunicationThread> thread)
      : comm_(comm), counter_(std::move(axis)), thread_(std::move(thread)) {
    thread_
        ->submit([this] {
          MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN);
          MPI_Comm_rank(comm_, &rank_);
          MPI_Comm_size(comm_, &size_);
        })
        .get();
  }
  ~MpiCommunicator() override {
    thread_->submit([this] { MPI_Comm_free(&comm_); }).wait();
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  std::string name() const override { return "mpi"; }

  WorkPtr all_reduce(at::Tensor tensor, ReduceOp op) override {
    require_plain(tensor);
    return submit(OperationKind::kAllReduce, num_bytes(tensor), [this, tensor, op] {
      for_each_segment(tensor, [&](int64_t offset, int64_t length) {
        reduce_segment(tensor, tensor, offset, length, op, /*output_is_part=*/false);
        gather_segment(tensor, offset, length);
      });
    });
  }

  WorkPtr reduce_scatter(at::Tensor output, at::Tensor input) override {
    require_plain(output);
    require_plain(input);
    TORCH_CHECK(input.numel() == output.numel() * size_,
                "reduce_scatter: input must hold size() parts");
    return submit(OperationKind::kReduceScatter, num_bytes(input), [this, output, input] {
      for_each_segment(input, [&](int64_t offset, int64_t length) {
        reduce_segment(input, output, offset, length, ReduceOp::kSum, /*output_is_part=*/true);
      });
    });
  }

  WorkPtr all_gather(at::Tensor output, at::Tensor input) override {
    require_plain(output);
    require_plain(input);
    TORCH_CHECK(output.numel() == input.numel() * size_,
                "all_gather: output must hold size() parts");
    return submit(OperationKind::kAllGather, num_bytes(output), [this, output, input] {
      const int64_t bytes = num_bytes(input);
      char* const own = bytes_of(output) + rank_ * bytes;
      if (own != bytes_of(input)) std::copy_n(bytes_of(input), bytes, own);
      for (int64_t at = 0; at < bytes; at += kMessageBytes) {
        const int64_t count = std::min(kMessageBytes, bytes - at);
        exchange([&](int peer) { return bytes_of(output) + peer * bytes + at; },
                 [&](int) { return own + at; }, [&](int) { return count; },
                 [&](int) { return count; });
      }
    });
  }

  WorkPtr broadcast(at::Tensor tensor, int root) override {
    require_plain(tensor);
    return submit(OperationKind::kBroadcast, num_bytes(tensor), [this, tensor, root] {
      for_each_message(tensor, [&](Requests& requests, char* data, int count) {
        requests.check(MPI_Ibcast(data, count, MPI_BYTE, root, comm_, requests.add()),
                       "MPI_Ibcast");
      });
    });
  }

  WorkPtr send(at::Tensor tensor, int destination) override {
    require_plain(tensor);
    return submit(OperationKind::kSend, num_bytes(tensor), [this, tensor, destination] {
      for_each_message(tensor, [&](Requests& requests, char* data, int count) {
        requests.check(MPI_Isend(data, count, MPI_BYTE, destination, kTag, comm_, requests.add()),
                       "MPI_Isend");
      });
    });
  }

  WorkPtr recv(at::Tensor tensor, int source) override {
    require_plain(tensor);
    return submit(OperationKind::kRecv, num_bytes(tensor), [this, tensor, source] {
      for_each_message(tensor, [&](Requests& requests, char* data, int count) {
        requests.check(MPI_Irecv(data, count, MPI_BYTE, source, kTag, comm_, requests.add()),
                       "MPI_Irecv");
      });
    });
  }

  void barrier() override {
    submit(OperationKind::kBarrier, 0, [this] {
      Requests requests = start_requests();
      requests.check(MPI_Ibarrier(comm_, requests.add()), "MPI_Ibarrier");
      requests.wait();
    })->wait();
  }

  void set_timeout(double seconds) override { thread_->timeout_seconds = seconds; }
  void set_trace(const std::shared_ptr<Trace>& trace) override {
    thread_->submit([thread = thread_.get(), trace] { thread->trace = trace; });
  }

  std::unique_ptr<Communicator> split(int color, const std::string& axis) override {
    MPI_Comm part = MPI_COMM_NULL;
    int size = 0;
    submit(OperationKind::kSplit, 0, [&] {
      check(MPI_Comm_split(comm_, color, rank_, &part), cat("MPI_Comm_split of ", to_text(now_)));
      MPI_Comm_size(part, &size);
      if (size == 1) MPI_Comm_free(&part);
    })->wait();
    // A group of one rank has nothing to send, although layers call it often.
    if (size == 1) return make_single_communicator();
    return std::make_unique<MpiCommunicator>(part, axis, thread_);
  }

 private:
  static constexpr int kTag = 1;

  WorkPtr submit(OperationKind kind, int64_t bytes, std::function<void()> task) {
    Operation operation = counter_.next(kind, bytes);
    const bool is_of_training = thread_->lane == RankActivity::Lane::kTraining;
    std::shared_future<void> done =
        thread_->submit([this, operation = std::move(operation), task = std::move(task)]() mutable {
          now_ = std::move(operation);
          const OperationScope scope(*thread_, now_);
          try {
            task();
          } catch (...) {
            // MPI may still write into what this operation was to receive. The job ends now, and
            // until it has, the tensors of the operation must not be freed: they are kept for ever.
            static_cast<void>(new std::function<void()>(std::move(task)));
            throw;
          }
        });
    return std::make_shared<FutureWork>(std::move(done),
                                        is_of_training ? thread_->activity.get() : nullptr);
  }

  Requests start_requests() const { return Requests(now_, thread_->timeout_seconds); }

  // Cuts a tensor into messages; each ends before the next one starts.
  template <class Start>
  void for_each_message(const at::Tensor& tensor, Start start) {
    const int64_t bytes = num_bytes(tensor);
    for (int64_t at = 0; at < bytes; at += kMessageBytes) {
      Requests requests = start_requests();
      start(requests, bytes_of(tensor) + at, static_cast<int>(std::min(kMessageBytes, bytes - at)));
      requests.wait();
    }
  }

  // Returns the number of elements of a rank's part of `numel`; the last parts may be shorter or
  // empty.
  int64_t part_length(int64_t numel) const {
    const int64_t part = (numel + size_ - 1) / size_;
    if (numel % size_ == 0) return part;
    return (part + kPartAlignment - 1) / kPartAlignment * kPartAlignment;
  }

  // Calls visit(offset within each part, length) for segments that fit a message.
  template <class Visit>
  void for_each_segment(const at::Tensor& tensor, Visit visit) {
    const int64_t part = part_length(tensor.numel());
    // This bounds what arrives from all other ranks at once, however many they are.
    const int64_t most =
        std::max<int64_t>(kPartAlignment, kReceivedBytes / std::max(1, size_ - 1) /
                                              static_cast<int64_t>(tensor.element_size()) /
                                              kPartAlignment * kPartAlignment);
    for (int64_t offset = 0; offset < part; offset += most)
      visit(offset, std::min(most, part - offset));
  }

  // The elements [begin, begin + count) of segment (offset, length) in `owner`'s part.
  struct Slice {
    int64_t begin;
    int64_t count;
  };
  Slice slice_of(int owner, const at::Tensor& tensor, int64_t offset, int64_t length) const {
    const int64_t begin = owner * part_length(tensor.numel()) + offset;
    return {begin, std::clamp<int64_t>(tensor.numel() - begin, 0, length)};
  }

  // Sends to(peer) and receives from(peer) for every other rank; the counts are in bytes.
  template <class From, class To, class FromBytes, class ToBytes>
  void exchange(From from, To to, FromBytes from_bytes, ToBytes to_bytes) {
    Requests requests = start_requests();
    requests.reserve(2 * static_cast<size_t>(size_));
    for (int step = 1; step < size_; ++step) {
      const int peer = (rank_ + step) % size_;
      requests.check(MPI_Irecv(from(peer), static_cast<int>(from_bytes(peer)), MPI_BYTE, peer, kTag,
                               comm_, requests.add()),
                     "MPI_Irecv");
    }
    for (int step = 1; step < size_; ++step) {
      const int peer = (rank_ + size_ - step) % size_;
      requests.check(MPI_Isend(to(peer), static_cast<int>(to_bytes(peer)), MPI_BYTE, peer, kTag,
                               comm_, requests.add()),
                     "MPI_Isend");
    }
    requests.wait();
  }

  // Sums this rank's slice over all ranks, in rank order, into `output`, which is the whole tensor
  // or this rank's part.
  void reduce_segment(const at::Tensor& input, const at::Tensor& output, int64_t offset,
                      int64_t length, ReduceOp op, bool output_is_part) {
    const auto size = static_cast<int64_t>(input.element_size());
    const Slice own = slice_of(rank_, input, offset, length);
    received_.resize(static_cast<size_t>((size_ - 1) * length * size));
    const auto place = [&](int peer) {
      return received_.data() + (peer < rank_ ? peer : peer - 1) * own.count * size;
    };
    exchange(
        place,
        [&](int peer) {
          return bytes_of(input) + slice_of(peer, input, offset, length).begin * size;
        },
        [&](int) { return own.count * size; },
        [&](int peer) { return slice_of(peer, input, offset, length).count * size; });
    if (own.count == 0) return;
    std::vector<const void*> parts;
    for (int peer = 0; peer < size_; ++peer) {
      parts.push_back(peer == rank_ ? bytes_of(input) + own.begin * size : place(peer));
    }
    const int64_t to = output_is_part ? offset : own.begin;
    rank_reduce(input.scalar_type(), op, parts, own.count, bytes_of(output) + to * size);
  }

  // Sends this rank's slice to all others and receives theirs, in place.
  void gather_segment(const at::Tensor& tensor, int64_t offset, int64_t length) {
    const auto size = static_cast<int64_t>(tensor.element_size());
    const auto slice = [&](int owner) { return slice_of(owner, tensor, offset, length); };
    exchange([&](int peer) { return bytes_of(tensor) + slice(peer).begin * size; },
             [&](int) { return bytes_of(tensor) + slice(rank_).begin * size; },
             [&](int peer) { return slice(peer).count * size; },
             [&](int) { return slice(rank_).count * size; });
  }

  MPI_Comm comm_;
  int rank_ = 0;
  int size_ = 1;
  OperationCounter counter_;
  Operation now_;  // the operation under way; for the communication thread
  std::shared_ptr<CommunicationThread> thread_;
  std::vector<char> received_;
};

}  // namespace

std::unique_ptr<Communicator> make_mpi_communicator(MPI_Comm world, const std::string& axis,
                                                    std::shared_ptr<RankActivity> activity,
                                                    RankActivity::Lane lane) {
  auto thread = std::make_shared<CommunicationThread>();
  thread->activity = std::move(activity);
  thread->lane = lane;
  MPI_Comm copy = MPI_COMM_NULL;
  thread->submit([&] { check(MPI_Comm_dup(world, &copy), "MPI_Comm_dup"); }).get();
  return std::make_unique<MpiCommunicator>(copy, axis, std::move(thread));
}

}  // namespace lmtrain
