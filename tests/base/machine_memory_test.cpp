#include "base/machine_memory.h"

#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

// A simulated machine: /proc and /sys/fs/cgroup in a temporary folder.
class MachineMemory : public ::testing::Test {
 public:
  MachineMemory() : root_(fs::temp_directory_path() / cat("machine_memory_", getpid())) {
    put("proc/meminfo", "MemTotal:       16000000 kB\nMemFree: 1 kB\nMemAvailable:   8000000 kB\n");
  }
  ~MachineMemory() override { fs::remove_all(root_); }

 protected:
  void put(const std::string& path, const std::string& content) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << content;
  }
  AvailableMemory read() const { return available_memory({root_ / "proc", root_ / "cgroup"}); }

 private:
  fs::path root_;
};

// Defect: MemFree or MemTotal is used in place of MemAvailable, or kB are taken for bytes.
TEST_F(MachineMemory, WithoutGroupsItIsWhatTheNodeHas) {
  EXPECT_EQ(read().bytes, INT64_C(8000000) * 1024);
  EXPECT_EQ(read().limited_by, "the node's free memory");
}

// Defect: the limit of a parent group (a Slurm job's) overlooked, or page cache counted as used.
TEST_F(MachineMemory, Version2TakesTheTightestGroupUpToTheRoot) {
  put("proc/self/cgroup", "0::/slurm/job_7/step_0\n");
  put("cgroup/slurm/job_7/step_0/memory.max", "max\n");
  put("cgroup/slurm/job_7/memory.max", "4000000000\n");
  put("cgroup/slurm/job_7/memory.current", "1500000000\n");
  put("cgroup/slurm/job_7/memory.stat", "anon 900000000\ninactive_file 600000000\n");
  put("cgroup/slurm/memory.max", "7000000000\n");
  EXPECT_EQ(read().bytes, 3100000000);
  EXPECT_EQ(read().limited_by, "the limit of control group /slurm/job_7");
}

// Defect: version 1's name for "no limit" taken as a limit, or its files not read at all.
TEST_F(MachineMemory, Version1ReadsItsOwnFiles) {
  put("proc/self/cgroup", "5:cpuset:/x\n4:cpu,memory:/job\n0::/\n");
  put("cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  put("cgroup/memory/job/memory.limit_in_bytes", "2000000000\n");
  put("cgroup/memory/job/memory.usage_in_bytes", "500000000\n");
  put("cgroup/memory/job/memory.stat", "inactive_file 1\ntotal_inactive_file 100000000\n");
  EXPECT_EQ(read().bytes, 1600000000);
}

// Defect: a container whose own path is not visible counts as without limit.
TEST_F(MachineMemory, AContainersLimitAtTheRootCounts) {
  put("proc/self/cgroup", "0::/docker/abc\n");
  put("cgroup/memory.max", "1000000000\n");
  put("cgroup/memory.current", "1200000000\n");
  EXPECT_EQ(read().bytes, 0);
  EXPECT_EQ(read().limited_by, "the limit of control group /");
}

// Defect: a machine whose memory cannot be read counts as having none, or as having no limit.
TEST_F(MachineMemory, SaysWhenItCannotBeRead) {
  put("proc/meminfo", "MemTotal: 5 kB\n");
  EXPECT_THROW(read(), IoError);
}

}  // namespace
}  // namespace lmtrain
