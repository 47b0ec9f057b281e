// Which cores a rank computes on. mpirun binds each rank of a small job to one core. So lmtrain
// takes each rank's share of the cores that the whole job may use, and binds the rank itself.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace lmtrain {

// Where the kernel describes the job; tests replace these folders.
struct CoreSources {
  std::filesystem::path proc = "/proc";
  std::filesystem::path cgroup = "/sys/fs/cgroup";
};

// Reads "0-3,8" as {0, 1, 2, 3, 8}. Throws DataError for anything else.
std::vector<int> parse_core_list(const std::string& text);
std::string core_list_text(const std::vector<int>& cores);

// Returns the cores that this process may use, ascending. Where mpirun started the process, these
// are the cores of mpirun (the parent process, which is not bound). Otherwise they are its own, to
// which srun may have bound it. Only cores of the cgroup's cpuset count, and at most as many as its
// CPU quota allows, but at least one.
std::vector<int> job_cores(const CoreSources& sources = {});

// Returns the share of local rank `local_rank` of `local_size`: equal contiguous parts, of which
// the first may be larger. With more ranks than cores, each rank gets one core, in turn.
std::vector<int> share_of_cores(const std::vector<int>& cores, int local_rank, int local_size);

// Returns the cores of local rank `local_rank`, given the job_cores() of each rank of its node: an
// equal share where all ranks may use the same cores, or its own cores where the launcher gave each
// rank some.
std::vector<int> cores_of_rank(const std::vector<std::vector<int>>& of_local_ranks, int local_rank);

// Binds all threads of this process to these cores, and so the threads that they start later.
void bind_to_cores(const std::vector<int>& cores);

}  // namespace lmtrain
