#include "data/documents.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/temporary_folder.h"

namespace lmtrain {
namespace {

using Texts = std::vector<std::string>;

struct ReadAll {
  Texts texts;
  int64_t num_empty = 0;
  int64_t num_bytes = 0;
};

ReadAll read_all(const std::string& path, const std::string& separator) {
  DocumentReader reader(list_source_files({{path, separator}}));
  ReadAll all;
  Document document;
  while (reader.next(document)) all.texts.emplace_back(document.text);
  EXPECT_EQ(reader.num_documents(), static_cast<int64_t>(all.texts.size()));
  EXPECT_DOUBLE_EQ(reader.fraction_done(), 1.0);
  all.num_empty = reader.num_empty_documents();
  all.num_bytes = reader.num_text_bytes();
  return all;
}

ReadAll read_text(const std::string& text, const std::string& separator) {
  const TemporaryFolder folder;
  return read_all(folder.write("file", text), separator);
}

// Defect: separators or line breaks leak into documents, or a last document without separator is
// lost.
TEST(Documents, SeparatorLinesEndDocuments) {
  const Texts expected = {"one\nstill one", "two"};
  EXPECT_EQ(read_text("one\nstill one\n%\ntwo\n%\n", "%").texts, expected);
  EXPECT_EQ(read_text("one\nstill one\n%\ntwo\n", "%").texts, expected);
  EXPECT_EQ(read_text("one\nstill one\n%\ntwo", "%").texts, expected);
  EXPECT_EQ(read_text("one\nstill one\n%\ntwo\n%", "%").texts, expected);
}

// Defect: files with CRLF are taken for one document.
TEST(Documents, CrlfSeparatorsAndLineBreaksInside) {
  EXPECT_EQ(read_text("one\r\nstill one\r\n%\r\ntwo\r\n%\r\n", "%").texts,
            (Texts{"one\r\nstill one", "two"}));
}

// Defect: a line that only contains the separator ends a document.
TEST(Documents, OnlyAWholeLineSeparates) {
  EXPECT_EQ(read_text("50%\n%%\n %\n% \nend\n", "%").texts, (Texts{"50%\n%%\n %\n% \nend"}));
}

// Defect: empty documents become samples, or go uncounted.
TEST(Documents, EmptyOnesAreCountedAndSkipped) {
  const ReadAll all = read_text("%\none\n%\n%\n\n%\ntwo\n%\n", "%");
  EXPECT_EQ(all.texts, (Texts{"one", "two"}));
  EXPECT_EQ(all.num_empty, 3);
  EXPECT_EQ(all.num_bytes, 6);
}

// Defect: the byte order mark becomes part of the first document of a file.
TEST(Documents, OneLeadingByteOrderMarkIsDropped) {
  EXPECT_EQ(read_text("\xEF\xBB\xBFone", "").texts, Texts{"one"});
  EXPECT_EQ(read_text("\xEF\xBB\xBF%\none", "%").texts, Texts{"one"});
  EXPECT_EQ(read_text("\xEF\xBB\xBF\xEF\xBB\xBFone", "").texts, Texts{"\xEF\xBB\xBFone"});
  EXPECT_EQ(read_text("\xEF\xBB\xBF", "").num_empty, 1);
}

// Defect: a file without separator loses bytes, or files run into one another.
TEST(Documents, WithoutSeparatorEachFileIsOneDocument) {
  const TemporaryFolder folder;
  folder.write("a", "one\n%\n\n");
  folder.write("b", "");
  folder.write("c", "two");
  const ReadAll all = read_all(folder.path().string(), "");
  EXPECT_EQ(all.texts, (Texts{"one\n%\n\n", "two"}));
  EXPECT_EQ(all.num_empty, 1);
}

// Defect: a document's text is unmapped while threads still encode it.
TEST(Documents, ADocumentKeepsItsFileAlive) {
  const TemporaryFolder folder;
  folder.write("a", "first");
  folder.write("b", "second");
  Document first;
  {
    DocumentReader reader(list_source_files({{folder.path().string(), ""}}));
    Document second;
    ASSERT_TRUE(reader.next(first));
    ASSERT_TRUE(reader.next(second));
  }
  EXPECT_EQ(first.text, "first");
}

// Defect: binary files are trained on, or the message does not say where they are wrong.
TEST(Documents, InvalidUtf8NamesFileAndOffset) {
  const TemporaryFolder folder;
  const std::string path = folder.write("file",
                                        "\xEF\xBB\xBF"
                                        "one\n%\ntwo\xFF\n%\n");
  const std::string message = message_of<DataError>([&] { read_all(path, "%"); });
  EXPECT_NE(message.find(path), std::string::npos);
  EXPECT_NE(message.find("byte 12"), std::string::npos) << message;
}

}  // namespace
}  // namespace lmtrain
