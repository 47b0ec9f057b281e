#include "trainer/config/held_folder.h"

#include <cerrno>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/error.h"
#include "base/host_name.h"
#include "tests/temporary_folder.h"

namespace lmtrain {
namespace {

class HeldFolderTest : public ::testing::Test {
 protected:
  // What take() throws, or "".
  std::string refusal(const LockOptions& options = {}) {
    try {
      const HeldFolder held(folder_, options);
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kHeld);
      return error.what();
    }
  }

  TemporaryFolder temporary_;
  RunFolder folder_{temporary_.path() / "run"};
};

// A file system of this kind, whose beats are fast.
LockOptions without_locks(int error) {
  return {[error](int, int) {
            errno = error;
            return -1;
          },
          0.1};
}

// Defect: two jobs in one folder, or a refusal that does not say who is there.
TEST_F(HeldFolderTest, NamesItsHolder) {
  const HeldFolder held(folder_);
  EXPECT_TRUE(is_held(folder_));
  const std::string text = refusal();
  EXPECT_NE(text.find("a job on " + host_name()), std::string::npos) << text;
  EXPECT_NE(text.find("process " + std::to_string(getpid())), std::string::npos) << text;
}

// Defect: a folder that stays locked, or looks so, when its job has ended.
TEST_F(HeldFolderTest, IsFreeAgain) {
  { const HeldFolder held(folder_); }
  EXPECT_FALSE(is_held(folder_));
  std::filesystem::create_directories(folder_.path);
  std::ofstream(folder_.metrics()) << "{}\n";
  { const HeldFolder held(folder_); }
  EXPECT_FALSE(is_held(folder_));
  EXPECT_EQ(refusal(), "");
}

// Defect: a file system without locks (Lustre without flock, some NFS), on which two jobs write in
// one folder, or none can.
TEST_F(HeldFolderTest, IsHeldByBeatsWhereThereAreNoLocks) {
  for (const int error : {ENOSYS, ENOLCK, EOPNOTSUPP}) {
    const LockOptions options = without_locks(error);
    {
      const HeldFolder held(folder_, options);
      EXPECT_TRUE(is_held(folder_, options));
      EXPECT_NE(refusal(options).find("process " + std::to_string(getpid())), std::string::npos);
      held.require_in_place();
    }
    EXPECT_FALSE(is_held(folder_, options));
    EXPECT_EQ(refusal(options), "");
  }
}

// Defect: a job that was killed holds its folder for ever.
TEST_F(HeldFolderTest, ADeadJobHoldsNothing) {
  std::filesystem::create_directories(folder_.path);
  std::ofstream(folder_.lock())
      << R"({"token":5,"host":"gone","process":1,"job":"Slurm job 7","since":"then","beat":3})";
  EXPECT_EQ(refusal(without_locks(ENOLCK)), "");
}

// Defect: a job that was suspended for so long that another took its folder goes on writing there.
TEST_F(HeldFolderTest, ALostFolderIsNoticed) {
  std::filesystem::create_directories(folder_.path);
  std::ofstream(folder_.metrics()) << "{}\n";
  const HeldFolder held(folder_, without_locks(ENOLCK));
  std::ofstream(folder_.lock())
      << R"({"token":5,"host":"other","process":1,"job":"","since":"now","beat":0})";
  for (int i = 0; i < 50; ++i) {
    usleep(20000);
    try {
      held.require_in_place();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kHeld);
      EXPECT_NE(std::string(error.what()).find("a job on other"), std::string::npos);
      return;
    }
  }
  FAIL() << "nothing was noticed";
}

// Defect: a lock file of other content that stops a run or crashes it.
TEST_F(HeldFolderTest, ALockFileMayHoldAnything) {
  std::filesystem::create_directories(folder_.path);
  for (const char* const content :
       {"", "123\n", "{", "[]", R"({"token":"x"})", R"({"token":1e99,"host":5})"}) {
    std::ofstream(folder_.lock()) << content;
    EXPECT_FALSE(holder_of(folder_)) << content;
    EXPECT_EQ(refusal(), "") << content;
    std::filesystem::create_directories(folder_.path);
  }
}

}  // namespace
}  // namespace lmtrain
