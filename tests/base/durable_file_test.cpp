#include "base/durable_file.h"

#include <fstream>

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/temporary_folder.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

size_t num_files(const fs::path& folder) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(folder), {}));
}

// Defect: a half-written file under its final name, or a temporary one left behind.
TEST(DurableFile, IsThereOnlyOnceItIsCommitted) {
  const TemporaryFolder folder;
  const fs::path path = folder.write("state", "old");
  {
    DurableFile file(path);
    file.write("new and longer");
    EXPECT_EQ(read_file(path), "old");
  }
  EXPECT_EQ(read_file(path), "old");
  EXPECT_EQ(num_files(folder.path()), 1U);
  DurableFile file(path, /*expected_bytes=*/1 << 16);  // more than is written
  file.write("____ body");
  file.write_at(0, "HEAD", 4);
  file.commit();
  EXPECT_EQ(read_file(path), "HEAD body");
  EXPECT_EQ(num_files(folder.path()), 1U);
}

// Defect: an error that does not name the file, or a write into nowhere that passes.
TEST(DurableFile, NamesWhatItCannotDo) {
  const TemporaryFolder folder;
  const fs::path inside_file = fs::path(folder.write("plain", "x")) / "state";
  EXPECT_NE(message_of<IoError>([&] { DurableFile file(inside_file); }).find("plain/state"),
            std::string::npos);
  EXPECT_NE(
      message_of<IoError>([&] { MappedFile file(folder.path()); }).find(folder.path().string()),
      std::string::npos);
  EXPECT_NE(message_of<IoError>([&] { read_file(folder / "plain", 0); }).find("plain"),
            std::string::npos);
  EXPECT_NE(why_not_writable(inside_file), "");
  EXPECT_EQ(why_not_writable(folder / "a" / "b"), "");
  EXPECT_EQ(num_files(folder.path()), 1U);
}

// Defect: a file that is cut short while it is read ends the process with SIGBUS and no line.
TEST(MappedFileDeathTest, NamesTheFileThatWasCutShort) {
  const TemporaryFolder folder;
  const std::string path = folder.write("cut", std::string(1 << 20, 'x'));
  EXPECT_EXIT(
      {
        const MappedFile file(path);
        fs::resize_file(path, 10);
        const volatile char last = file.text().back();
        (void)last;
      },
      testing::ExitedWithCode(static_cast<int>(ExitCode::kIo)), "error .*/cut was cut short");
}

// Defect: ninety thousand small files need ninety thousand maps, more than a process may have.
TEST(MappedFile, SmallFilesAreNotMapped) {
  const TemporaryFolder folder;
  const MappedFile small(folder.write("small", "a document"));
  const MappedFile large(folder.write("large", std::string(1 << 20, 'x')));
  std::ifstream maps("/proc/self/maps");
  const std::string text(std::istreambuf_iterator<char>(maps), {});
  EXPECT_EQ(text.find("/small"), std::string::npos);
  EXPECT_NE(text.find("/large"), std::string::npos);
  EXPECT_EQ(small.text(), "a document");
}

// Defect: a file set aside that replaces one set aside before.
TEST(SetAside, KeepsWhatWasSetAsideBefore) {
  const TemporaryFolder folder;
  EXPECT_EQ(set_aside(folder.write("facts", "one")), folder / "facts.damaged");
  EXPECT_EQ(set_aside(folder.write("facts", "two")), folder / "facts.damaged-2");
  EXPECT_EQ(read_file(folder / "facts.damaged"), "one");
  EXPECT_EQ(read_file(folder / "facts.damaged-2"), "two");
  EXPECT_FALSE(fs::exists(folder / "facts"));
}

// Defect: lines of two writers are mixed, or a line lacks its end.
TEST(AppendFile, AddsWholeLines) {
  const TemporaryFolder folder;
  AppendFile one(folder / "log");
  AppendFile two(folder / "log");
  EXPECT_TRUE(one.append_line("first"));
  EXPECT_TRUE(two.append_line("second"));
  EXPECT_TRUE(one.append_line("third"));
  EXPECT_EQ(read_file(folder / "log"), "first\nsecond\nthird\n");
}

// Defect: a disk that is full passes for one that is not.
TEST(AppendFile, SaysWhenTheDiskIsFull) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  AppendFile full("/dev/full");
  EXPECT_FALSE(full.append_line("lost"));
}

}  // namespace
}  // namespace lmtrain
