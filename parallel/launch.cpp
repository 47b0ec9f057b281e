#include "parallel/launch.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>

#include <ATen/ATen.h>
#include <mpi.h>

#include "base/host_name.h"
#include "base/log.h"
#include "base/text.h"
#include "parallel/launcher_end.h"
#include "parallel/mpi_communicator.h"
#include "parallel/parallel_config.h"
#include "parallel/typed_gather.h"

namespace lmtrain {
namespace {

// Refuses tasks that a launcher started without connecting them: each would train a run of its own.
void refuse_unconnected_tasks() {
  const auto refuse_several = [](const char* variable, const std::string& launcher,
                                 const std::string& instead) {
    const char* const size = std::getenv(variable);
    if (size == nullptr || std::atoi(size) < 2) return;
    throw ConfigError(
        cat(launcher, " started ", size, " tasks (", variable,
            ") that do not know of each other, and each would train a run of its own; ", instead));
  };
  const std::string open_mpi = "start them with mpirun of Open MPI";
  refuse_several("SLURM_STEP_NUM_TASKS", "srun",
                 "start them with srun --mpi=pmix (srun --mpi=list shows whether this Slurm has "
                 "it), or with mpirun of Open MPI");
  refuse_several("PMI_SIZE", "mpiexec of another MPI (Hydra: MPICH or Intel MPI)", open_mpi);
  refuse_several("MPI_LOCALNRANKS", "mpiexec of another MPI (Hydra: MPICH or Intel MPI)", open_mpi);
  refuse_several("MV2_COMM_WORLD_SIZE", "mpirun of another MPI (MVAPICH)", open_mpi);
  refuse_several("PALS_SIZE", "mpiexec of Cray's PALS", open_mpi);
  refuse_several("WORLD_SIZE", "another launcher (torchrun?)", open_mpi);
}

// What tells nodes of one name apart.
std::string boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  file >> id;
  return id;
}

// How long mpirun may take to end a job that a rank has aborted; without a lost host it takes two.
constexpr double kLauncherSeconds = 4.0;

int exit_status = 0;  // for a handler of exit(), which has no argument

}  // namespace

void throw_first(const std::optional<Error>& mine, Communicator& group) {
  constexpr auto kNone = static_cast<int64_t>(ExitCode::kDone);
  const std::vector<int64_t> codes =
      gather_all(group, mine ? static_cast<int64_t>(mine->code()) : kNone);
  const auto first = std::ranges::find_if(codes, [](int64_t code) { return code != kNone; });
  if (first == codes.end()) return;
  const std::vector<std::string> texts = gather_texts(group, mine ? mine->what() : "");
  throw CollectiveError(static_cast<ExitCode>(*first),
                        texts[static_cast<size_t>(first - codes.begin())]);
}

Launch::Launch(int* argc, char*** argv) : uses_mpi_(was_started_by_launcher()), host_(host_name()) {
  if (!uses_mpi_) {
    refuse_unconnected_tasks();
    world_ = make_single_communicator();
    return;
  }
  int provided = MPI_THREAD_SINGLE;
  if (MPI_Init_thread(argc, argv, MPI_THREAD_MULTIPLE, &provided) != MPI_SUCCESS ||
      provided < MPI_THREAD_SERIALIZED) {
    throw ConfigError(
        "this MPI does not allow calls from a communication thread (MPI_THREAD_SERIALIZED)");
  }
  may_use_threads_ = provided == MPI_THREAD_MULTIPLE;
  world_ = make_mpi_communicator(MPI_COMM_WORLD, "world", activity_);
  world_->set_timeout(ParallelConfig().timeout_seconds);  // until the config is known
  set_log_rank(world_->rank());
  find_place();
  if (may_use_threads_ && size() > 1) watchdog_ = make_watchdog(MPI_COMM_WORLD);
}

std::unique_ptr<Watchdog> Launch::make_watchdog(MPI_Comm world) {
  return std::make_unique<Watchdog>(world, host_, *activity_,
                                    [this](const std::string& finding) { end_hung_job(finding); });
}

void Launch::watch(const WatchdogOptions& options) {
  if (size() == 1 && !watchdog_) watchdog_ = make_watchdog(MPI_COMM_NULL);
  if (watchdog_) watchdog_->set_options(options);
}

void Launch::on_hang(std::function<void(const std::string&)> work) {
  const std::lock_guard lock(hang_mutex_);
  on_hang_ = std::move(work);
}

void Launch::end_hung_job(const std::string& finding) {
  abort_later(ExitCode::kHang);  // the log and the record may be on a file system that hangs
  log_error(finding);
  {
    const std::lock_guard lock(hang_mutex_);
    if (on_hang_) on_hang_(finding);
  }
  abort(ExitCode::kHang);
}

// Nodes are numbered by their lowest rank, local ranks by world rank. Where two nodes have one
// name, as clones of a virtual machine do, the second becomes "NAME#2".
void Launch::find_place() {
  std::vector<std::string> hosts = gather_texts(*world_, host_);
  const std::vector<std::string> boots = gather_texts(*world_, boot_id());
  std::map<std::string, std::vector<std::string>> boots_of_name;
  for (size_t i = 0; i < hosts.size(); ++i) {
    std::vector<std::string>& known = boots_of_name[hosts[i]];
    const auto at = std::ranges::find(known, boots[i]);
    const auto number = 1 + (at - known.begin());
    if (at == known.end()) known.push_back(boots[i]);
    if (number > 1) hosts[i] += cat("#", number);
  }
  host_ = hosts[static_cast<size_t>(rank())];
  std::map<std::string, int> nodes;
  for (const std::string& host : hosts) nodes.emplace(host, static_cast<int>(nodes.size()));
  node_ = nodes[host_];
  num_nodes_ = static_cast<int>(nodes.size());
  local_size_ = static_cast<int>(std::count(hosts.begin(), hosts.end(), host_));
  local_rank_ = static_cast<int>(std::count(hosts.begin(), hosts.begin() + rank(), host_));
}

bool Launch::was_started_by_launcher() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK"}) {
    if (std::getenv(name) != nullptr) return true;
  }
  return false;
}

Launch::~Launch() {
  watchdog_.reset();
  world_.reset();  // its communication thread ends before MPI does
  if (uses_mpi_) MPI_Finalize();
}

std::unique_ptr<Communicator> Launch::make_world_beside(const std::string& axis) {
  if (!uses_mpi_) return make_single_communicator();
  return may_use_threads_
             ? make_mpi_communicator(MPI_COMM_WORLD, axis, activity_, RankActivity::Lane::kBeside)
             : nullptr;
}

std::vector<std::string> Launch::gather_on_node(const std::string& mine) {
  const std::vector<int64_t> nodes = gather_all(*world_, int64_t{node_});
  const std::vector<std::string> texts = gather_texts(*world_, mine);
  std::vector<std::string> of_node;
  for (size_t rank = 0; rank < texts.size(); ++rank)
    if (nodes[rank] == node_) of_node.push_back(texts[rank]);
  return of_node;
}

void Launch::abort_later(ExitCode code) const {
  constexpr auto kLeft = std::chrono::seconds(20);
  std::thread([this, code, kLeft] {
    std::this_thread::sleep_for(kLeft);
    abort(code);
  }).detach();
}

void Launch::fail(const Error& error) {
  std::call_once(failure_is_said_, [&] {
    abort_later(error.code());
    // The log itself names every rank but 0.
    log_error(cat(rank() == 0 && size() > 1 ? "rank 0: " : "", error.what()));
  });
}

void Launch::abort(ExitCode code) const {
  exit_status = static_cast<int>(code);
  // mpirun ends the job when a rank exits without MPI_Finalize. It has then read all that the rank
  // wrote; after MPI_Abort it may lose the last lines, and one of Open MPI 4 crashes now and then.
  const bool is_of_mpirun = std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr;
  if (is_of_mpirun) end_launcher_later(kLauncherSeconds);
  if (uses_mpi_ && !is_of_mpirun) {
    // It calls exit(), whose destructors would free what other threads use. This handler, which is
    // the last, is called first.
    std::atexit([] { std::_Exit(exit_status); });
    MPI_Abort(MPI_COMM_WORLD, exit_status);
  }
  std::_Exit(exit_status);
}

// Tells the other ranks once a second that this one still works.
class Launch::Heartbeat {
 public:
  explicit Heartbeat(Communicator& world)
      : thread_([this, &world] {
          std::unique_lock lock(mutex_);
          while (!wake_.wait_for(lock, std::chrono::seconds(1), [this] { return done_; }))
            broadcast_from(world, 0, int64_t{1});
        }) {}
  ~Heartbeat() {
    {
      const std::lock_guard lock(mutex_);
      done_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  bool done_ = false;
  std::thread thread_;
};

void Launch::first_works(const std::function<void()>& work) {
  together([&] {
    if (size() == 1) return work();
    if (rank() != 0) {
      while (broadcast_from(*world_, 0, int64_t{1}) != 0) continue;
      return;
    }
    std::optional<Error> failure;
    try {
      const Heartbeat heartbeat(*world_);
      work();
    } catch (const Error& error) {
      failure = error;
    }
    broadcast_from(*world_, 0, int64_t{0});
    if (failure) throw *failure;
  });
}

void Launch::together(const std::function<void()>& check) {
  std::optional<Error> mine;
  try {
    check();
  } catch (const Error& error) {
    if (error.code() == ExitCode::kHang) throw;  // the others cannot be asked
    mine = error;
  }
  throw_first(mine, *world_);
}

bool Launch::any(bool mine) {
  const at::Tensor found = at::tensor({int64_t{mine}}, at::kLong);
  world_->all_reduce(found, ReduceOp::kMax)->wait();
  return found.item<int64_t>() != 0;
}

std::string Launch::library_version() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  MPI_Get_library_version(text.data(), &length);
  const std::string version(text.data());
  return version.substr(0, version.find(','));
}

}  // namespace lmtrain
