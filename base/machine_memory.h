// How much memory this process may still take: the node's free memory, and the limits of the
// control groups that the process is in (cgroups version 1 and 2).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/system_file.h"

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

// The bytes of an entry ("MemTotal") of what /proc/meminfo holds.
std::optional<int64_t> meminfo_bytes(std::string_view meminfo, std::string_view name);

// Reads, again and again, how much memory this process keeps.
class OwnMemory {
 public:
  explicit OwnMemory(const std::filesystem::path& proc = "/proc");

  // Returns the bytes of its resident memory that belong to no file: private memory and memory
  // shared by fork. Nothing when PROC/self/statm cannot be read.
  std::optional<int64_t> anonymous_bytes();

 private:
  ProcFile statm_;
};

}  // namespace lmtrain
