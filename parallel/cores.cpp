#include "parallel/cores.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include <sched.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

int parse_core(std::string_view text, const std::string& list) {
  int core = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), core);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size() || core < 0 ||
      core > 65535) {
    throw DataError(cat("'", list, "' is not a list of cores such as 0-3,8"));
  }
  return core;
}

// Returns the cores of a process from its line "Cpus_allowed_list:\t0-1".
std::vector<int> allowed_cores_of(const fs::path& process) {
  std::ifstream file(process / "status");
  static constexpr std::string_view kKey = "Cpus_allowed_list:\t";
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(kKey)) return parse_core_list(line.substr(kKey.size()));
  }
  return {};
}

// Returns the folders of this process's cgroup, innermost first: of version 2's one tree, or of
// version 1's tree for `controller`.
std::vector<fs::path> cgroup_folders(const CoreSources& sources, std::string_view controller) {
  std::ifstream file(sources.proc / "self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string names = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool version2 = names == ",,";
    if (!version2 && names.find(cat(",", controller, ",")) == std::string::npos) continue;
    const fs::path root = version2 ? sources.cgroup : sources.cgroup / controller;
    std::vector<fs::path> folders;
    for (fs::path at = line.substr(second + 1); at.has_relative_path(); at = at.parent_path()) {
      folders.push_back(root / at.relative_path());
    }
    folders.push_back(root);
    return folders;
  }
  return {};
}

std::vector<int> cgroup_cores(const CoreSources& sources) {
  for (const fs::path& folder : cgroup_folders(sources, "cpuset")) {
    for (const char* name : {"cpuset.cpus.effective", "cpuset.effective_cpus", "cpuset.cpus"}) {
      const std::string list = first_line(folder / name);
      if (!list.empty()) return parse_core_list(list);
    }
  }
  return {};
}

// Returns how many cores' time the tightest quota on the way to the root allows; 0 without a quota.
double cgroup_quota(const CoreSources& sources) {
  double least = 0;
  for (const fs::path& folder : cgroup_folders(sources, "cpu")) {
    double quota = -1;
    double period = 0;
    std::istringstream version2(first_line(folder / "cpu.max"));
    if (!(version2 >> quota >> period)) {
      std::istringstream(first_line(folder / "cpu.cfs_quota_us")) >> quota;
      std::istringstream(first_line(folder / "cpu.cfs_period_us")) >> period;
    }
    if (quota > 0 && period > 0 && (least == 0 || quota / period < least)) least = quota / period;
  }
  return least;
}

std::vector<int> intersection(const std::vector<int>& a, const std::vector<int>& b) {
  std::vector<int> both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
  return both;
}

}  // namespace

std::vector<int> parse_core_list(const std::string& text) {
  std::vector<int> cores;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    const size_t dash = part.find('-');
    const int first = parse_core(std::string_view(part).substr(0, dash), text);
    const int last = dash == std::string::npos
                         ? first
                         : parse_core(std::string_view(part).substr(dash + 1), text);
    for (int core = first; core <= last; ++core) cores.push_back(core);
  }
  std::sort(cores.begin(), cores.end());
  cores.erase(std::unique(cores.begin(), cores.end()), cores.end());
  return cores;
}

std::string core_list_text(const std::vector<int>& cores) {
  std::vector<std::string> parts;
  for (size_t i = 0; i < cores.size();) {
    size_t end = i + 1;
    while (end < cores.size() && cores[end] == cores[end - 1] + 1) ++end;
    parts.push_back(end - i == 1 ? cat(cores[i]) : cat(cores[i], "-", cores[end - 1]));
    i = end;
  }
  return join(parts, ",");
}

std::vector<int> job_cores(const CoreSources& sources) {
  const bool started_by_mpirun = std::getenv("OMPI_COMM_WORLD_RANK") != nullptr;
  std::vector<int> cores = allowed_cores_of(sources.proc / "self");
  if (started_by_mpirun) {
    const std::vector<int> parents = allowed_cores_of(sources.proc / std::to_string(getppid()));
    if (!parents.empty()) cores = parents;
  }
  const std::vector<int> in_cgroup = intersection(cores, cgroup_cores(sources));
  if (!in_cgroup.empty()) cores = in_cgroup;
  const double quota = cgroup_quota(sources);
  const size_t paid = std::max<size_t>(1, static_cast<size_t>(quota));
  if (quota > 0 && cores.size() > paid) cores.resize(paid);
  if (cores.empty()) cores.push_back(0);
  return cores;
}

std::vector<int> share_of_cores(const std::vector<int>& cores, int local_rank, int local_size) {
  const auto count = static_cast<int>(cores.size());
  if (local_size >= count) return {cores[static_cast<size_t>(local_rank % count)]};
  const int base = count / local_size;
  const int extra = count % local_size;
  const int begin = local_rank * base + std::min(local_rank, extra);
  const int end = begin + base + (local_rank < extra ? 1 : 0);
  return {cores.begin() + begin, cores.begin() + end};
}

std::vector<int> cores_of_rank(const std::vector<std::vector<int>>& of_local_ranks,
                               int local_rank) {
  const std::vector<int>& own = of_local_ranks[static_cast<size_t>(local_rank)];
  const bool all_the_same =
      std::all_of(of_local_ranks.begin(), of_local_ranks.end(),
                  [&](const std::vector<int>& cores) { return cores == own; });
  return all_the_same ? share_of_cores(own, local_rank, static_cast<int>(of_local_ranks.size()))
                      : own;
}

void bind_to_cores(const std::vector<int>& cores) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int core : cores) CPU_SET(static_cast<size_t>(core), &set);
  std::error_code ignored;
  for (const auto& thread : fs::directory_iterator("/proc/self/task", ignored)) {
    // Some containers refuse this; then the kernel schedules the thread freely.
    sched_setaffinity(std::atoi(thread.path().filename().c_str()), sizeof set, &set);
  }
}

}  // namespace lmtrain
