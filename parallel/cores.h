// Which cores a rank computes on. mpirun binds small jobs to one core a rank, so lmtrain takes each
// rank's share of the cores that the whole job may use, and binds itself.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace lmtrain {

// Where the kernel tells about the job; replaceable for tests.
struct CoreSources {
  std::filesystem::path proc = "/proc";
  std::filesystem::path cgroup = "/sys/fs/cgroup";
};

// "0-3,8" -> {0, 1, 2, 3, 8}. Throws DataError for anything else.
std::vector<int> parse_core_list(const std::string& text);
std::string core_list_text(const std::vector<int>& cores);

// The cores that this process may use, ascending. Where mpirun started it these are the cores of
// mpirun (the parent process, which is not bound), otherwise its own, which srun may have bound.
// Only cores of the cgroup's cpuset count, and at most as many as its CPU quota allows, but at
// least one.
std::vector<int> job_cores(const CoreSources& sources = {});

// The share of local rank `local_rank` of `local_size`: equal contiguous parts, the first ones
// larger; with more ranks than cores, one core each in turn.
std::vector<int> share_of_cores(const std::vector<int>& cores, int local_rank, int local_size);

// The cores of local rank `local_rank`, from the job_cores() of each rank of its node: an equal
// share where all ranks may use the same cores, its own cores where the launcher gave each rank
// some.
std::vector<int> cores_of_rank(const std::vector<std::vector<int>>& of_local_ranks, int local_rank);

// Binds all threads of this process, and those started later.
void bind_to_cores(const std::vector<int>& cores);

}  // namespace lmtrain
