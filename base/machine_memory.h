// How much memory processes of this machine may still take: what the node has free, and the limits
// of the control groups that the process is in (cgroups version 1 and 2).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace lmtrain {

// Where to look; tests put a tree of their own here.
struct MemoryRoots {
  std::filesystem::path proc = "/proc";
  std::filesystem::path cgroup = "/sys/fs/cgroup";
};

struct AvailableMemory {
  int64_t bytes = 0;
  std::string limited_by;  // "the node's free memory", "the limit of control group /slurm/job_7"
};

// The smallest of MemAvailable and, for each control group from the process's own to the root, its
// limit less what is in use there (page cache that can be dropped counts as free). Throws IoError
// when the node's memory cannot be read; groups without a limit, or not visible, do not count.
AvailableMemory available_memory(const MemoryRoots& roots = {});

// What this process holds in memory that is no file's: resident, private or shared by fork.
int64_t anonymous_bytes(const std::filesystem::path& proc = "/proc");

}  // namespace lmtrain
