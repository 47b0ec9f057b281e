#include "parallel/watchdog.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "parallel/idle_watch.h"
#include "parallel/stack_trace.h"

namespace lmtrain {
namespace {

constexpr auto kLook = std::chrono::milliseconds(500);
constexpr int kTag = 1;
// Whoever watches rank 0 leaves it the time to say what it has found.
constexpr double kSecondsForRank0 = 5.0;
constexpr auto kTimeForStacks = std::chrono::milliseconds(1500);
constexpr size_t kMostRows = 32;
constexpr size_t kMostStacks = 4;

// What a rank says. Ranks are of one build, so it travels as it is.
struct Beat {
  enum Kind : int64_t { kWorks, kLeaves, kShowStack };
  int64_t kind = kWorks;
  int64_t process = 0;
  int64_t step = 0;
  Phase phase = Phase::kStartup;
  bool is_in_operation = false;
  bool has_operation = false;
  OperationKind operation = OperationKind::kBarrier;
  int64_t bytes = 0;
  int64_t number = 0;
  double idle_seconds = 0;
  double unseen_seconds = 0;
  double limit_seconds = 0;
  std::array<char, 32> axis{};
  std::array<char, 64> host{};
};

template <size_t N>
void put(std::array<char, N>& to, const std::string& text) {
  std::memcpy(to.data(), text.data(), std::min(N - 1, text.size()));
}

// What the process has taken so far, and what its training thread has waited for a processor.
struct Usage {
  double cpu_seconds = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
  double starved_seconds = 0;
  double bytes = 0;

  explicit Usage(pid_t thread) {
    // Nanoseconds on a processor, and ready to run without one; not every kernel tells.
    double ran = 0;
    double waited = 0;
    if (std::ifstream(cat("/proc/self/task/", thread, "/schedstat")) >> ran >> waited)
      starved_seconds = 1e-9 * waited;
    std::ifstream file("/proc/self/io");
    std::string name;
    double value = 0;
    while (file >> name >> value) {
      if (name == "rchar:" || name == "wchar:") bytes += value;
    }
  }
};

double starved_seconds(const Usage& before, const Usage& now) {
  return now.starved_seconds - before.starved_seconds;
}

// Whether there was more between two looks than what threads that wait take; what a thread would
// have computed that had no processor counts.
bool is_busy(const Usage& before, const Usage& now, double seconds) {
  const double wanted = now.cpu_seconds - before.cpu_seconds + starved_seconds(before, now);
  return wanted > 0.2 * seconds || now.bytes - before.bytes > 1e6;
}

// The letter that the kernel gives the state of a process or thread: T is stopped, D waits for a
// disk; a space where there is none.
char state_in(const std::filesystem::path& folder) {
  std::ifstream file(folder / "stat");
  std::string text;
  std::getline(file, text);
  const size_t end = text.rfind(')');
  return end == std::string::npos || end + 2 >= text.size() ? ' ' : text[end + 2];
}

std::string seconds_text(double seconds) { return fixed(seconds, 0) + " s"; }

}  // namespace

class Watchdog::Thread {
 public:
  Thread(MPI_Comm world, std::string host, const RankActivity& activity,
         std::function<void(const std::string&)> ends_job)
      : activity_(activity),
        ends_job_(std::move(ends_job)),
        watched_thread_(pthread_self()),
        watched_thread_id_(gettid()),
        clock_(monotonic_seconds()) {
    if (world != MPI_COMM_NULL) {
      MPI_Comm_dup(world, &group_);
      MPI_Comm_set_errhandler(group_, MPI_ERRORS_RETURN);
      MPI_Comm_rank(group_, &rank_);
      MPI_Comm_size(group_, &size_);
    }
    put(mine_.host, host);
    mine_.process = getpid();
    others_.resize(rank_ == 0 ? static_cast<size_t>(size_) : 1);
    prepare_stack_traces();
    thread_ = std::thread([this] { run(); });
  }

  ~Thread() {
    {
      const std::lock_guard lock(mutex_);
      is_stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  void set_options(const WatchdogOptions& options) {
    const std::lock_guard lock(mutex_);
    options_ = options;
  }

 private:
  // Another rank, as this one knows it.
  struct Other {
    Beat last;
    double heard = 0;  // by clock_
    bool has_left = false;
    MPI_Request sending = MPI_REQUEST_NULL;
    Beat sent;  // until it has arrived
  };
  // What the job is ended for.
  struct Finding {
    int rank = -1;  // -1: no single one
    std::string text;
    bool shows_stack = false;
  };

  void run() {
    Usage usage(watched_thread_id_);
    std::unique_lock lock(mutex_);
    do {  // at once, so that each rank is known by its process and host
      const WatchdogOptions options = options_;
      lock.unlock();
      const Usage usage_now(watched_thread_id_);
      look(options, usage, usage_now);
      usage = usage_now;
      lock.lock();
    } while (!wake_.wait_for(lock, kLook, [this] { return is_stopping_; }));
    lock.unlock();
    if (size_ == 1) return;
    mine_.kind = Beat::kLeaves;
    wait_for_sends();
    say();
    wait_for_sends();
    // What has not arrived belongs to MPI.
    static_cast<void>(new std::vector<Other>(std::move(others_)));
  }

  // For two seconds at most.
  void wait_for_sends() {
    const double end = monotonic_seconds() + 2.0;
    for (Other& other : others_) {
      int done = 0;
      while (done == 0 && monotonic_seconds() < end) {
        MPI_Test(&other.sending, &done, MPI_STATUS_IGNORE);
        if (done == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
  }

  void look(const WatchdogOptions& options, const Usage& before, const Usage& now) {
    const double passed = clock_.advance(monotonic_seconds());
    const RankActivity::Seen seen = activity_.now();
    idle_.look(seen, passed,
               {is_busy(before, now, passed), waits_for_a_disk(), starved_seconds(before, now)});
    mine_.step = seen.step;
    mine_.phase = seen.phase;
    mine_.is_in_operation = seen.is_in_operation;
    mine_.has_operation = seen.operation.has_value();
    if (seen.operation) {
      mine_.operation = seen.operation->kind;
      mine_.bytes = seen.operation->bytes;
      mine_.number = seen.operation->sequence;
      mine_.axis = {};
      put(mine_.axis, seen.operation->axis);
    }
    mine_.idle_seconds = idle_.idle_seconds();
    mine_.unseen_seconds = idle_.unseen_seconds();
    mine_.limit_seconds = idle_.limit_seconds(options.least_seconds);
    say();
    hear();
    if (options.least_seconds <= 0) return;
    if (rank_ == 0) {
      judge(options);
    } else if (!others_[0].has_left &&
               clock_.seconds() - others_[0].heard > options.least_seconds + kSecondsForRank0) {
      ends_job_(cat("rank 0 ", silence_text(others_[0]), "; the job ends"));
    }
  }

  // Rank 0 speaks to all others, they to rank 0. What has not arrived yet is waited for, so that a
  // lost rank costs one message.
  void say() {
    for (size_t i = 0; i < others_.size(); ++i) {
      const auto to = static_cast<int>(i);
      Other& other = others_[i];
      if (to == rank_) continue;
      int done = 1;
      MPI_Test(&other.sending, &done, MPI_STATUS_IGNORE);
      if (done == 0) continue;
      other.sent = mine_;
      MPI_Isend(&other.sent, sizeof(Beat), MPI_BYTE, to, kTag, group_, &other.sending);
    }
  }

  void hear() {
    while (size_ > 1) {
      int is_there = 0;
      MPI_Status status;
      MPI_Iprobe(MPI_ANY_SOURCE, kTag, group_, &is_there, &status);
      if (is_there == 0) return;
      Beat beat;
      MPI_Recv(&beat, sizeof(Beat), MPI_BYTE, status.MPI_SOURCE, kTag, group_, MPI_STATUS_IGNORE);
      if (beat.kind == Beat::kShowStack) {
        show_stack();
        continue;
      }
      Other& other = others_[static_cast<size_t>(status.MPI_SOURCE)];
      other.last = beat;
      other.heard = clock_.seconds();
      other.has_left = beat.kind == Beat::kLeaves;
    }
  }

  // Of the training thread: what other threads wait for does not hold it up.
  bool waits_for_a_disk() const {
    return state_in(cat("/proc/self/task/", watched_thread_id_)) == 'D';
  }

  void show_stack() const {
    log_error(cat("rank ", rank_, ": where its thread stands, innermost call first:\n",
                  stack_trace_of(watched_thread_, watched_thread_id_)));
  }

  std::string silence_text(const Other& other) const {
    const std::string since =
        cat("has said nothing for ", seconds_text(clock_.seconds() - other.heard));
    if (other.last.process == 0) return since + ", never at all";
    const std::string process = cat("process ", other.last.process, " on ", other.last.host.data());
    if (std::string_view(other.last.host.data()) != mine_.host.data())
      return cat(since, " (", process, " is stopped, or its host or link is lost)");
    switch (state_in(cat("/proc/", other.last.process))) {
      case 'T':
      case 't':
        return cat(since, " (", process, " is stopped)");
      case ' ':
        return cat(since, " (", process, " is gone)");
      case 'D':
        return cat(since, " (", process, " waits for a disk)");
      default:
        return cat(since, " (", process, ")");
    }
  }

  void judge(const WatchdogOptions& options) {
    others_[0].last = mine_;
    others_[0].heard = clock_.seconds();
    std::vector<Finding> silent;
    std::vector<Finding> stuck;
    int num_waiting = 0;
    int num_there = 0;
    for (int r = 0; r < size_; ++r) {
      const Other& other = others_[static_cast<size_t>(r)];
      if (other.has_left) continue;
      ++num_there;
      const Beat& beat = other.last;
      if (clock_.seconds() - other.heard > options.least_seconds) {
        silent.push_back({r, cat("rank ", r, " ", silence_text(other))});
        continue;
      }
      const bool is_at_most =
          options.most_seconds > 0 && beat.unseen_seconds > options.most_seconds;
      if (beat.idle_seconds <= beat.limit_seconds && !is_at_most) continue;
      if (beat.is_in_operation) {
        ++num_waiting;
      } else {
        stuck.push_back(
            {r,
             cat("rank ", r, " has made no progress for ", seconds_text(beat.unseen_seconds),
                 size_ > 1 ? ", and waits for no other rank" : ""),
             true});
      }
    }
    if (!silent.empty()) return end_for(silent);
    if (!stuck.empty()) return end_for(stuck);
    if (num_there > 1 && num_there == num_waiting) {
      end_for(
          {{-1, cat("all ranks wait for each other for ", seconds_text(mine_.unseen_seconds))}});
    }
  }

  void end_for(const std::vector<Finding>& findings) {
    std::vector<std::string> texts;
    size_t asked = 0;
    for (const Finding& finding : findings) {
      texts.push_back(finding.text);
      if (!finding.shows_stack || asked == kMostStacks) continue;
      ++asked;
      if (finding.rank == 0) {
        show_stack();
        continue;
      }
      auto* const ask = new Beat(mine_);  // for MPI, until the job has ended
      ask->kind = Beat::kShowStack;
      MPI_Request sending = MPI_REQUEST_NULL;
      MPI_Isend(ask, sizeof(Beat), MPI_BYTE, finding.rank, kTag, group_, &sending);
    }
    if (asked > 0) std::this_thread::sleep_for(kTimeForStacks);
    ends_job_(
        cat(join(texts, "; "), "; the job ends. What each rank did last:\n", table(findings)));
  }

  std::string table(const std::vector<Finding>& findings) const {
    std::string text;
    size_t rows = 0;
    size_t left_out = 0;
    for (int r = 0; r < size_; ++r) {
      const bool is_found =
          std::ranges::any_of(findings, [&](const Finding& finding) { return finding.rank == r; });
      if (!is_found && rows >= kMostRows) {
        ++left_out;
        continue;
      }
      ++rows;
      const Other& other = others_[static_cast<size_t>(r)];
      const Beat& beat = other.last;
      text += cat("  rank ", r, " on ", beat.host.data(), ", step ", beat.step, ", ",
                  phase_name(beat.phase), ": ", state_text(other), "\n");
    }
    if (left_out > 0) text += cat("  and ", left_out, " more ranks\n");
    return text;
  }

  std::string state_text(const Other& other) const {
    const Beat& beat = other.last;
    if (other.has_left) return "had ended";
    const double silence = clock_.seconds() - other.heard;
    const std::string then = silence > 3 ? cat(" (", seconds_text(silence), " ago)") : "";
    if (!beat.has_operation) return "had begun no operation" + then;
    const std::string operation =
        to_text(Operation{beat.operation, beat.axis.data(), beat.bytes, beat.number});
    return beat.is_in_operation
               ? cat("in ", operation, " for ", seconds_text(beat.unseen_seconds), then)
               : cat("had ended ", operation, ", and did nothing that is seen for ",
                     seconds_text(beat.unseen_seconds), then);
  }

  const RankActivity& activity_;
  const std::function<void(const std::string&)> ends_job_;
  const pthread_t watched_thread_;
  const int watched_thread_id_;
  MPI_Comm group_ = MPI_COMM_NULL;  // not freed: that would wait for ranks that have not ended
  int rank_ = 0;
  int size_ = 1;
  WakeClock clock_;
  IdleWatch idle_;
  Beat mine_;
  std::vector<Other> others_;  // on rank 0 all, elsewhere rank 0 alone
  std::mutex mutex_;
  std::condition_variable wake_;
  bool is_stopping_ = false;
  WatchdogOptions options_;
  std::thread thread_;
};

Watchdog::Watchdog(MPI_Comm world, std::string host, const RankActivity& activity,
                   std::function<void(const std::string&)> ends_job)
    : thread_(std::make_unique<Thread>(world, std::move(host), activity, std::move(ends_job))) {}

Watchdog::~Watchdog() = default;

void Watchdog::set_options(const WatchdogOptions& options) { thread_->set_options(options); }

}  // namespace lmtrain
