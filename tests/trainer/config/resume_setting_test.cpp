#include "trainer/config/resume_setting.h"

#include <gtest/gtest.h>

namespace lmtrain {
namespace {

// Defect: a folder whose name begins with one of the words is taken for the word, or a word for a
// folder.
TEST(ResumeSetting, IsAWordOrAPath) {
  EXPECT_EQ(parse_resume("auto").from, ResumeFrom::kNewestCheckpoint);
  EXPECT_EQ(parse_resume("never").from, ResumeFrom::kNothing);
  for (const char* path : {"autos", "./auto", "runs/never", "Never"}) {
    const ResumeSetting setting = parse_resume(path);
    EXPECT_EQ(setting.from, ResumeFrom::kPath) << path;
    EXPECT_EQ(setting.path, path);
  }
}

}  // namespace
}  // namespace lmtrain
