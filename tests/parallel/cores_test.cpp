#include "parallel/cores.h"

#include <fstream>

#include <gtest/gtest.h>

#include "base/error.h"

namespace lmtrain {
namespace {

using Cores = std::vector<int>;

// Defect: two ranks get the same core, or a core is left out.
TEST(Cores, RanksShareThemWithoutOverlap) {
  const Cores cores = {0, 1, 2, 3, 8, 9, 10};
  EXPECT_EQ(share_of_cores(cores, 0, 1), cores);
  EXPECT_EQ(share_of_cores(cores, 0, 3), (Cores{0, 1, 2}));
  EXPECT_EQ(share_of_cores(cores, 1, 3), (Cores{3, 8}));
  EXPECT_EQ(share_of_cores(cores, 2, 3), (Cores{9, 10}));
  EXPECT_EQ(share_of_cores({4, 5}, 7, 8), (Cores{5}));  // more ranks than cores: one each, in turn
}

// Defect: cores that srun gave to one rank are divided once more, or every rank takes all the cores
// that all ranks may use.
TEST(Cores, TheLaunchersBindingIsKept) {
  const Cores all = {0, 1, 2, 3};
  EXPECT_EQ(cores_of_rank({all, all}, 1), (Cores{2, 3}));
  EXPECT_EQ(cores_of_rank({{0, 1}, {2, 3}}, 0), (Cores{0, 1}));
  EXPECT_EQ(cores_of_rank({{0, 1}, {2, 3}}, 1), (Cores{2, 3}));
}

// Defect: a list of the kernel's is read wrongly, or rubbish is taken for a list.
TEST(Cores, ListsAreReadAndWritten) {
  EXPECT_EQ(parse_core_list("0-3,8,10-11"), (Cores{0, 1, 2, 3, 8, 10, 11}));
  EXPECT_EQ(core_list_text({0, 1, 2, 3, 8, 10, 11}), "0-3,8,10-11");
  EXPECT_THROW(parse_core_list("0-x"), DataError);
}

class FakeKernel : public testing::Test {
 protected:
  void SetUp() override {
    root_ = std::filesystem::path(testing::TempDir()) / "fake-kernel";
    std::filesystem::remove_all(root_);
    write("proc/self/status", "Name:\tlmtrain\nCpus_allowed_list:\t0-7\n");
    write("proc/self/cgroup", "0::/job\n");
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void write(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  Cores cores() const { return job_cores({root_ / "proc", root_ / "cgroup"}); }

  std::filesystem::path root_;
};

// Defect: a container's cpuset or CPU quota is ignored, so that ranks compete for cores they do not
// have.
TEST_F(FakeKernel, TheCgroupLimitsTheCores) {
  EXPECT_EQ(cores(), (Cores{0, 1, 2, 3, 4, 5, 6, 7}));
  write("cgroup/job/cpuset.cpus.effective", "2-5\n");
  EXPECT_EQ(cores(), (Cores{2, 3, 4, 5}));
  write("cgroup/job/cpu.max", "200000 100000\n");
  EXPECT_EQ(cores(), (Cores{2, 3}));
  write("cgroup/job/cpu.max", "50000 100000\n");
  EXPECT_EQ(cores(), (Cores{2}));
  write("cgroup/job/cpu.max", "max 100000\n");
  EXPECT_EQ(cores(), (Cores{2, 3, 4, 5}));
}

}  // namespace
}  // namespace lmtrain
