#include "data/cache_entry.h"

#include <chrono>
#include <functional>
#include <stdexcept>
#include <thread>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/durable_file.h"
#include "base/error.h"
#include "tests/temporary_folder.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

pid_t in_child(const std::function<void()>& action) {
  const pid_t child = fork();
  if (child == 0) {
    action();
    _exit(0);
  }
  return child;
}

void publish_text(const CacheEntry& entry, std::string_view text) {
  entry.publish([&](const fs::path& folder) { write_file_durably(folder / "file", text); });
}

// Returns the names in the cache folder except the lock.
std::vector<std::string> names_in(const fs::path& cache) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(cache)) {
    if (entry.path().extension() != ".lock") names.push_back(entry.path().filename().string());
  }
  return names;
}

// Defect: an entry cannot be replaced, or keeps some of its old content.
TEST(CacheEntry, PublishesAndReplaces) {
  const TemporaryFolder folder;
  const CacheEntry entry(folder / "new/cache", "entry");
  EXPECT_FALSE(entry.exists());
  publish_text(entry, "one");
  EXPECT_TRUE(entry.exists());
  write_file_durably(entry.folder() / "other", "old");
  publish_text(entry, "two");
  EXPECT_EQ(read_file(entry.folder() / "file"), "two");
  EXPECT_FALSE(fs::exists(entry.folder() / "other"));
  EXPECT_EQ(names_in(folder / "new/cache"), std::vector<std::string>{"entry"});
}

// Defect: a failure leaves half an entry, or takes the old one with it.
TEST(CacheEntry, AFailedPublishLeavesTheCacheAsItWas) {
  const TemporaryFolder folder;
  const CacheEntry entry(folder.path(), "entry");
  const auto fail = [&] {
    entry.publish([](const fs::path& temporary) {
      write_file_durably(temporary / "file", "half");
      throw std::runtime_error("failed");
    });
  };
  EXPECT_THROW(fail(), std::runtime_error);
  EXPECT_TRUE(names_in(folder.path()).empty());
  publish_text(entry, "whole");
  EXPECT_THROW(fail(), std::runtime_error);
  EXPECT_EQ(read_file(entry.folder() / "file"), "whole");
}

// Defect: a kill in the middle leaves half an entry, a lock, or litter for ever.
TEST(CacheEntry, AKilledProcessLeavesNothingBehindTheNextOne) {
  const TemporaryFolder folder;
  const pid_t child = in_child([&] {
    const CacheEntry entry(folder.path(), "entry");
    entry.publish([](const fs::path& temporary) {
      write_file_durably(temporary / "file", "half");
      _exit(9);
    });
  });
  waitpid(child, nullptr, 0);
  EXPECT_EQ(names_in(folder.path()).size(), 1U);  // the temporary folder: the child got that far
  const CacheEntry entry(folder.path(), "entry");
  EXPECT_FALSE(entry.exists());
  publish_text(entry, "whole");
  EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{"entry"});
}

// Defect: sweeping one entry's litter takes another's work away.
TEST(CacheEntry, SweepsItsOwnLitterOnly) {
  const TemporaryFolder folder;
  folder.write(".entry-2.tmp.new.1/file", "of another entry");
  folder.write("user.txt", "not ours");
  const CacheEntry entry(folder.path(), "entry");
  publish_text(entry, "whole");
  EXPECT_TRUE(fs::exists(folder / ".entry-2.tmp.new.1/file"));
  EXPECT_TRUE(fs::exists(folder / "user.txt"));
}

// Defect: two processes make the same entry at the same time.
TEST(CacheEntry, TheSecondProcessWaitsForTheFirst) {
  const TemporaryFolder folder;
  pid_t child = 0;
  {
    const CacheEntry entry(folder.path(), "entry");
    child = in_child([&] {
      const CacheEntry second(folder.path(), "entry");
      _exit(second.exists() ? 7 : 8);
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    publish_text(entry, "whole");
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 7);
}

// Defect: the error about a cache path that cannot be a folder does not name the path.
TEST(CacheEntry, ACacheThatIsAFileIsAnIoError) {
  const TemporaryFolder folder;
  const std::string file = folder.write("file", "text");
  const std::string message = message_of<IoError>([&] { CacheEntry(file, "entry"); });
  EXPECT_NE(message.find(file), std::string::npos);
}

}  // namespace
}  // namespace lmtrain
