#include "base/machine_memory.h"

#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/cpu_ticks.h"
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
  fs::path proc() const { return root_ / "proc"; }
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

// Defect: memory of files counts as the process's own, or the first reading is given again.
TEST_F(MachineMemory, ReadsThisProcessesOwnAgainAndAgain) {
  put("proc/self/statm", "5000 700 300 12 0 400 0\n");
  OwnMemory memory(proc());
  EXPECT_EQ(memory.anonymous_bytes(), 400 * sysconf(_SC_PAGESIZE));
  put("proc/self/statm", "5000 1700 300 12 0 400 0\n");
  EXPECT_EQ(memory.anonymous_bytes(), 1400 * sysconf(_SC_PAGESIZE));
  put("proc/self/statm", "5000 -1 300\n");
  EXPECT_EQ(memory.anonymous_bytes(), std::nullopt);
  EXPECT_EQ(OwnMemory(proc() / "nowhere").anonymous_bytes(), std::nullopt);
}

// Defect: a name that begins alike is taken, or kilobytes that do not fit overflow.
TEST(Meminfo, HasEntriesByTheirWholeName) {
  EXPECT_EQ(meminfo_bytes("MemTotalX: 1 kB\nMemTotal: 2 kB\n", "MemTotal"), 2048);
  EXPECT_EQ(meminfo_bytes("MemTotal: 9223372036854775807 kB", "MemTotal"), std::nullopt);
  EXPECT_EQ(meminfo_bytes("MemTotal:", "MemTotal"), std::nullopt);
}

// Defect: idle time or time stolen by other machines counts as busy, or an old kernel's line with
// fewer columns is refused.
TEST(CpuTicks, AreSplitByTheirColumns) {
  const std::optional<CpuTicks> ticks =
      parse_cpu_ticks("cpu  10 20 30 400 50 6 7 80 9 9\ncpu0 1 1 1 1\n");
  ASSERT_TRUE(ticks);
  EXPECT_EQ(ticks->total, 603);
  EXPECT_EQ(ticks->busy, 73);
  EXPECT_EQ(ticks->stolen, 80);
  EXPECT_EQ(parse_cpu_ticks("cpu 1 2 3 4")->busy, 6);
  EXPECT_FALSE(parse_cpu_ticks("cpu0 1 2 3 4"));
  EXPECT_FALSE(parse_cpu_ticks("cpu 1 2 three 4"));
}

}  // namespace
}  // namespace lmtrain
