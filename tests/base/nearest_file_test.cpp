#include "base/nearest_file.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/yaml_reader.h"
#include "tests/temporary_folder.h"

namespace lmtrain {
namespace {

// Defect: a mistyped config is answered without the file that was meant, or with a folder.
TEST(NearestFile, NamesAFileOfTheSameFolder) {
  const TemporaryFolder folder;
  folder.write("quickstart.yaml", "run: {}\n");
  std::filesystem::create_directory(folder / "quickstars.yaml");
  EXPECT_EQ(nearest_file(folder / "quickstrat.yaml"), (folder / "quickstart.yaml").string());
  EXPECT_EQ(nearest_file(folder / "quickstart"), (folder / "quickstart.yaml").string());
  EXPECT_EQ(nearest_file(folder / "other.json"), "");
  EXPECT_EQ(nearest_file(folder / "no_folder" / "quickstart.yaml"), "");
  EXPECT_EQ(nearest_file(""), "");
}

// Defect: the error about a missing config does not name the path, or suggests no other file.
TEST(NearestFile, EndsTheErrorAboutAMissingConfig) {
  const TemporaryFolder folder;
  folder.write("small.yaml", "run: {}\n");
  const std::string missing = (folder / "smal.yaml").string();
  try {
    read_yaml_file(missing);
    FAIL() << "a file that is not there was read";
  } catch (const ConfigError& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find(missing), std::string::npos) << message;
    EXPECT_TRUE(message.ends_with("; did you mean '" + (folder / "small.yaml").string() + "'?"))
        << message;
  }
}

}  // namespace
}  // namespace lmtrain
