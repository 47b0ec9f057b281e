#include "parallel/launch.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>

#include <ATen/ATen.h>
#include <mpi.h>
#include <unistd.h>

#include "base/log.h"
#include "parallel/mpi_communicator.h"
#include "parallel/typed_gather.h"

namespace lmtrain {
namespace {

std::string host_name() {
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  return name.data();
}

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
    world_ = make_single_communicator();
    return;
  }
  int provided = MPI_THREAD_SINGLE;
  if (MPI_Init_thread(argc, argv, MPI_THREAD_MULTIPLE, &provided) != MPI_SUCCESS ||
      provided < MPI_THREAD_SERIALIZED) {
    throw ConfigError(
        "this MPI does not allow calls from a communication thread (MPI_THREAD_SERIALIZED)");
  }
  world_ = make_mpi_communicator(MPI_COMM_WORLD);
  set_log_rank(world_->rank());

  // Nodes are numbered by their lowest rank, local ranks by world rank.
  const std::vector<std::string> hosts = gather_texts(*world_, host_);
  std::map<std::string, int> nodes;
  for (const std::string& host : hosts) nodes.emplace(host, static_cast<int>(nodes.size()));
  node_ = nodes[host_];
  num_nodes_ = static_cast<int>(nodes.size());
  local_size_ = static_cast<int>(std::count(hosts.begin(), hosts.end(), host_));
  local_rank_ = static_cast<int>(std::count(hosts.begin(), hosts.begin() + rank(), host_));
}

bool Launch::was_started_by_launcher() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE"}) {
    if (std::getenv(name) != nullptr) return true;
  }
  return false;
}

Launch::~Launch() {
  world_.reset();  // its communication thread ends before MPI does
  if (uses_mpi_) MPI_Finalize();
}

std::vector<std::string> Launch::gather_on_node(const std::string& mine) {
  const std::vector<int64_t> nodes = gather_all(*world_, int64_t{node_});
  const std::vector<std::string> texts = gather_texts(*world_, mine);
  std::vector<std::string> of_node;
  for (size_t rank = 0; rank < texts.size(); ++rank)
    if (nodes[rank] == node_) of_node.push_back(texts[rank]);
  return of_node;
}

void Launch::abort(ExitCode code) const {
  const int status = static_cast<int>(code);
  if (uses_mpi_) MPI_Abort(MPI_COMM_WORLD, status);
  std::_Exit(status);
}

void Launch::together(const std::function<void()>& check) {
  std::optional<Error> mine;
  try {
    check();
  } catch (const Error& error) {
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
