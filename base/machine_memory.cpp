#include "base/machine_memory.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>
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
constexpr int64_t kNoLimit = INT64_C(1) << 60;

// Returns the number after `name` in a file with lines "name: 12 kB" or "name 12".
std::optional<int64_t> read_entry(const fs::path& path, const std::string& name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string word;
    int64_t value = 0;
    if (words >> word >> value && (word == name || word == name + ":")) return value;
  }
  return std::nullopt;
}

std::optional<int64_t> read_number(const fs::path& path) {
  std::ifstream file(path);
  int64_t value = 0;
  if (file >> value) return value;
  return std::nullopt;  // not there, or "max"
}

// Returns the bytes that one group leaves free, or nothing when it has no limit.
std::optional<int64_t> room_in_group(const fs::path& folder, const CgroupNames& names) {
  const auto limit = read_number(folder / names.limit);
  if (!limit || *limit >= kNoLimit) return std::nullopt;
  const int64_t usage = read_number(folder / names.usage).value_or(0);
  const int64_t droppable = read_entry(folder / "memory.stat", names.droppable).value_or(0);
  return std::max<int64_t>(*limit - std::max<int64_t>(usage - droppable, 0), 0);
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
  const auto free_kib = read_entry(meminfo, "MemAvailable");
  if (!free_kib) throw IoError(cat("cannot read MemAvailable in ", meminfo.string()));
  AvailableMemory available = {*free_kib * 1024, "the node's free memory"};
  for (const Group& group : own_groups(roots.proc)) apply_group(group, roots.cgroup, available);
  return available;
}

int64_t anonymous_bytes(const fs::path& proc) {
  std::ifstream file(proc / "self/statm");
  int64_t total = 0;
  int64_t resident = 0;
  int64_t of_files = 0;  // and of shared memory
  if (!(file >> total >> resident >> of_files)) {
    throw IoError(cat((proc / "self/statm").string(), " cannot be read"));
  }
  return (resident - of_files) * sysconf(_SC_PAGESIZE);
}

}  // namespace lmtrain
