#include "data/source_files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/error.h"
#include "tests/temporary_folder.h"

namespace lmtrain {
namespace {

std::vector<std::string> names_of(const std::vector<SourceFile>& files) {
  std::vector<std::string> names;
  for (const SourceFile& file : files) names.push_back(file.name);
  return names;
}

uint64_t fingerprint(const std::string& path, const std::string& separator = "") {
  return content_fingerprint(list_source_files({{path, separator}}));
}

// Defect: the order of files depends on the file system, or hidden files are read.
TEST(SourceFiles, AFolderIsReadInByteOrderWithoutHiddenFiles) {
  const TemporaryFolder folder;
  for (const char* name : {"b.txt", "a/z", "a.txt", "B", "a/deep/y", ".hidden", ".git/config"}) {
    folder.write(name, "text");
  }
  const std::vector<std::string> expected = {"B", "a.txt", "a/deep/y", "a/z", "b.txt"};
  EXPECT_EQ(names_of(list_source_files({{folder.path().string(), ""}})), expected);
  EXPECT_EQ(names_of(list_source_files({{folder.path().string() + "/", ""}})), expected);
}

// Defect: links are lost in a folder though a pattern follows them, or a link to a folder makes a
// loop.
TEST(SourceFiles, LinksAreFollowedOnce) {
  const TemporaryFolder folder;
  const std::string file = folder.write("data/file", "text");
  folder.write("elsewhere/more", "text");
  std::filesystem::create_symlink(file, folder / "data/link");
  std::filesystem::create_directory_symlink(folder / "elsewhere", folder / "data/linked");
  std::filesystem::create_directory_symlink(folder / "data", folder / "data/loop");
  std::filesystem::create_symlink(folder / "nowhere", folder / "data/broken");
  EXPECT_EQ(names_of(list_source_files({{(folder / "data").string(), ""}})),
            (std::vector<std::string>{"file", "link", "linked/more"}));
}

// Defect: a source that holds the cache or the runs grows with each run and is prepared for ever.
TEST(SourceFiles, WhereLmtrainWritesIsLeftOut) {
  const TemporaryFolder folder;
  folder.write("text", "text");
  folder.write("cache/tokens/train.tokens", "x");
  folder.write("runs/a/report.md", "x");
  const std::vector<std::filesystem::path> left_out = {folder / "cache", folder / "runs/"};
  EXPECT_EQ(names_of(list_source_files({{folder.path().string(), ""}}, left_out)),
            (std::vector<std::string>{"text"}));
  for (const char* inside : {"cache", "cache/tokens", "runs/a/report.md"}) {
    const std::string message = message_of<DataError>([&] {
      list_source_files({{(folder / inside).string(), ""}}, left_out);
    });
    EXPECT_NE(message.find("data.cache"), std::string::npos) << inside << ": " << message;
  }
}

// Defect: an array of JSON, or ids without a header, trained on as if they were text.
TEST(SourceFiles, FilesThatAreNoTextBySilenceAreRefused) {
  const TemporaryFolder folder;
  for (const auto& [name, word] : {std::pair{"a.json", "jsonl"}, std::pair{"train.bin", "llm.c"}}) {
    const std::string path = folder.write(name, "[1, 2]");
    const std::string message = message_of<DataError>([&] { list_source_files({{path, ""}}); });
    EXPECT_NE(message.find(word), std::string::npos) << message;
    SourceConfig as_text = {path, ""};
    as_text.format = FormatChoice::kText;
    EXPECT_EQ(list_source_files({as_text}).size(), 1U);
  }
}

// Defect: "cannot read : Permission denied", without a path.
TEST(SourceFiles, AFolderThatCannotBeReadIsNamed) {
  if (geteuid() == 0) GTEST_SKIP() << "the superuser may read everything";
  const TemporaryFolder folder;
  folder.write("data/closed/file", "text");
  std::filesystem::permissions(folder / "data/closed", std::filesystem::perms::none);
  const std::string message = message_of<DataError>([&] {
    list_source_files({{(folder / "data").string(), ""}});
  });
  EXPECT_NE(message.find("data/closed: Permission denied"), std::string::npos) << message;
  std::filesystem::permissions(folder / "data/closed", std::filesystem::perms::all);
}

// Defect: an error about sources that does not name the key and the path.
TEST(SourceFiles, ErrorsNameTheKeyAndThePath) {
  const TemporaryFolder folder;
  const std::string good = folder.write("good", "text");
  std::filesystem::create_directory(folder / "empty");
  const auto message = [&](const std::string& path) {
    return message_of<DataError>([&] { list_source_files({{good, ""}, {path, ""}}); });
  };
  for (const std::string& path : {(folder / "missing").string(), (folder / "empty").string()}) {
    EXPECT_NE(message(path).find("data.sources[1].path"), std::string::npos);
    EXPECT_NE(message(path).find(path), std::string::npos);
  }
  EXPECT_NE(message("/dev/null").find("neither a file nor a folder"), std::string::npos);
  EXPECT_NE(message("").find("is empty"), std::string::npos);
  EXPECT_THROW(list_source_files({}), DataError);
}

// Defect: a change of content, name or separator leaves the fingerprint as it was, or moving the
// folder changes it.
TEST(SourceFiles, FingerprintIsOfContentNamesAndSeparatorsOnly) {
  const TemporaryFolder folder;
  folder.write("here/a", "one");
  folder.write("here/b", "two");
  folder.write("moved/away/a", "one");
  folder.write("moved/away/b", "two");
  folder.write("changed/a", "one");
  folder.write("changed/b", "twO");
  folder.write("renamed/a", "one");
  folder.write("renamed/c", "two");
  folder.write("shifted/a", "onet");
  folder.write("shifted/b", "wo");
  const uint64_t original = fingerprint((folder / "here").string());
  EXPECT_EQ(fingerprint((folder / "moved/away").string()), original);
  EXPECT_NE(fingerprint((folder / "changed").string()), original);
  EXPECT_NE(fingerprint((folder / "renamed").string()), original);
  EXPECT_NE(fingerprint((folder / "shifted").string()), original);
  EXPECT_NE(fingerprint((folder / "here").string(), "%"), original);
}

}  // namespace
}  // namespace lmtrain
