#include "base/machine_memory.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <vector>

#include <unistd.h>

#include "base/error.h"
#include "base/text.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

// The file names of one version of cgroups. Version 1 writes "no limit" as a number near 2^63.
struct CgroupNames {
  const char* mount;  // below the root
  const char* limit;
  const char* usage;
  const char* droppable;  // a line of memory.stat
};
constexpr CgroupNames kVersion1 = {"memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
                                   "total_inactive_file"};
constexpr CgroupNames kVersion2 = {"", "memory.max", "memory.current", "inactive_file"};
constexpr uint64_t kNoLimit = UINT64_C(1) << 60;

// Returns the bytes that one group leaves free, or nothing when it has no limit.
std::optional<int64_t> room_in_group(const fs::path& folder, const CgroupNames& names) {
  const auto limit = read_system_number(folder / names.limit).value;  // not there, or "max"
  if (!limit || *limit >= kNoLimit) return std::nullopt;
  const uint64_t usage = read_system_number(folder / names.usage).value.value_or(0);
  const std::string stat = read_system_text(folder / "memory.stat").text.value_or("");
  const uint64_t droppable = named_number(stat, names.droppable).value_or(0);
  const uint64_t used = usage - std::min(usage, droppable);
  return static_cast<int64_t>(*limit - std::min(*limit, used));
}

struct Group {
  std::string path;  // "/slurm/job_7"
  const CgroupNames* names;
};

// Returns the groups that limit memory, from lines "4:memory:/slurm/job_7" and "0::/user.slice".
std::vector<Group> own_groups(const fs::path& proc) {
  std::vector<Group> groups;
  std::ifstream file(proc / "self" / "cgroup");
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string path = line.substr(second + 1);
    if (controllers == ",,") groups.push_back({path, &kVersion2});
    if (controllers.find(",memory,") != std::string::npos) groups.push_back({path, &kVersion1});
  }
  return groups;
}

void apply_group(const Group& group, const fs::path& cgroup, AvailableMemory& available) {
  const fs::path mount = cgroup / group.names->mount;
  // In a container the path may be the host's, of which only the root exists here. So the loop goes
  // up to the root and skips what does not exist.
  for (fs::path path = group.path;; path = path.parent_path()) {
    const auto room = room_in_group(mount / path.relative_path(), *group.names);
    if (room && *room < available.bytes) {
      available = {*room, cat("the limit of control group ", path.string())};
    }
    if (!path.has_relative_path()) return;
  }
}

}  // namespace

AvailableMemory available_memory(const MemoryRoots& roots) {
  const fs::path meminfo = roots.proc / "meminfo";
  const auto free = meminfo_bytes(read_system_text(meminfo).text.value_or(""), "MemAvailable");
  if (!free) throw IoError(cat("cannot read MemAvailable in ", meminfo.string()));
  AvailableMemory available = {*free, "the node's free memory"};
  for (const Group& group : own_groups(roots.proc)) apply_group(group, roots.cgroup, available);
  return available;
}

std::optional<int64_t> meminfo_bytes(std::string_view meminfo, std::string_view name) {
  constexpr int64_t kMost = INT64_MAX / 1024;
  const std::optional<int64_t> kibibytes = named_number(meminfo, name);
  if (!kibibytes || *kibibytes > kMost) return std::nullopt;
  return *kibibytes * 1024;
}

OwnMemory::OwnMemory(const fs::path& proc) : statm_(proc / "self" / "statm") {}

std::optional<int64_t> OwnMemory::anonymous_bytes() {
  std::string_view pages = statm_.read();
  const auto total = cut_number(pages);
  const auto resident = cut_number(pages);
  const auto of_files = cut_number(pages);  // and of shared memory
  constexpr int64_t kMost = INT64_MAX >> 24;
  if (!total || !resident || !of_files || *resident > kMost || *of_files > *resident) {
    return std::nullopt;
  }
  return (*resident - *of_files) * sysconf(_SC_PAGESIZE);
}

}  // namespace lmtrain
