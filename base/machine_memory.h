// How much memory this process may still take: the node's free memory, and the limits of the
// control groups that the process is in (cgroups version 1 and 2).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace lmtrain {

// Where the kernel's files are. Tests use a folder of their own.
struct MemoryRoots {
  std::filesystem::path proc = "/proc";
  std::filesystem::path cgroup = "/sys/fs/cgroup";
};

struct AvailableMemory {
  int64_t bytes = 0;
  std::string limited_by;  // "the node's free memory", "the limit of control group /slurm/job_7"
};

// Returns the smallest of MemAvailable and the room in each control group from the process's own to
// the root. The room is the group's limit minus its use, where page cache that can be dropped does
// not count as used. Groups without a limit and groups that are not visible are skipped. Throws
// IoError when the node's memory cannot be read.
AvailableMemory available_memory(const MemoryRoots& roots = {});

// Returns the bytes of this process's resident memory that belong to no file: private memory and
// memory shared by fork.
int64_t anonymous_bytes(const std::filesystem::path& proc = "/proc");

}  // namespace lmtrain
