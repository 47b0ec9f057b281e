#include "data/file_documents.h"

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include "base/error.h"
#include "data/documents.h"
#include "tests/temporary_folder.h"

namespace lmtrain {
namespace {

using Texts = std::vector<std::string>;

std::string gzipped(const std::string& text) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(compressBound(text.size()) + 64, '\0');
  std::string in = text;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string zstd_compressed(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

struct Read {
  Texts texts;
  int64_t num_empty = 0;
  int64_t num_replaced = 0;
  int64_t num_skipped = 0;
};

Read read_source(const SourceConfig& source, Utf8Policy policy = Utf8Policy::kError) {
  DocumentReader reader(list_source_files({source}), policy);
  Read read;
  Document document;
  while (reader.next(document)) read.texts.emplace_back(document.text);
  EXPECT_DOUBLE_EQ(reader.fraction_done(), 1.0);
  read.num_empty = reader.num_empty_documents();
  read.num_replaced = reader.gate().num_replaced();
  read.num_skipped = reader.gate().num_skipped();
  return read;
}

class FileDocumentsTest : public testing::Test {
 protected:
  Read read(const std::string& name, const std::string& content, SourceConfig source = {}) {
    source.path = folder_.write(name, content);
    return read_source(source);
  }
  std::string error(const std::string& name, const std::string& content, SourceConfig source = {}) {
    source.path = folder_.write(name, content);
    const std::string message = message_of<DataError>([&] { read_source(source); });
    EXPECT_NE(message.find(name), std::string::npos) << message;
    return message;
  }

  TemporaryFolder folder_;
};

// Defect: compressed text is cut into other documents than plain text, or loses what follows a
// block, the first member or the first frame.
TEST_F(FileDocumentsTest, CompressedTextIsThatOfThePlainFile) {
  std::string large = "first\r\n%\n%\n";
  for (int i = 0; i < 300000; ++i) large += i % 7 == 0 ? "%\n" : "line " + std::to_string(i) + "\n";
  for (const std::string& text : {std::string(), std::string("one"), std::string("a\n%\nb\n%\n"),
                                  std::string("\xEF\xBB\xBFx\n\n%\n\n"), large}) {
    for (const std::string separator : {"", "%"}) {
      const SourceConfig source = {"", separator};
      const Read plain = read("plain", text, source);
      const size_t middle = text.size() / 2;
      for (const std::string& stored :
           {gzipped(text), zstd_compressed(text),
            gzipped(text.substr(0, middle)) + gzipped(text.substr(middle)),
            zstd_compressed(text.substr(0, middle)) + zstd_compressed(text.substr(middle))}) {
        const Read got = read("packed", stored, source);
        EXPECT_TRUE(got.texts == plain.texts) << text.size() << " " << separator;
        EXPECT_EQ(got.num_empty, plain.num_empty);
      }
    }
  }
}

// Defect: valid files that other readers accept are refused: zeros after gzip data, a window as
// long as that of zstd --long=31, a skippable frame in front.
TEST_F(FileDocumentsTest, UnusualCompressedFilesAreRead) {
  EXPECT_EQ(read("padded.gz", gzipped("one") + std::string(1000, '\0')).texts, Texts{"one"});
  const std::string skipped("\x50\x2a\x4d\x18\x02\0\0\0ab", 10);
  EXPECT_EQ(read("skipped.zst", skipped + zstd_compressed("two")).texts, Texts{"two"});
  const std::string text = "a window of 2^30 bytes";
  const std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)> context(ZSTD_createCCtx(),
                                                                   &ZSTD_freeCCtx);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_windowLog, 30);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_contentSizeFlag, 0);
  std::string out(1000, '\0');
  ZSTD_inBuffer in = {text.data(), text.size(), 0};
  ZSTD_outBuffer to = {out.data(), out.size(), 0};
  ASSERT_EQ(ZSTD_compressStream2(context.get(), &to, &in, ZSTD_e_flush), 0U);
  ASSERT_EQ(ZSTD_compressStream2(context.get(), &to, &in, ZSTD_e_end), 0U);
  EXPECT_EQ(read("long.zst", out.substr(0, to.pos)).texts, Texts{text});
}

// Defect: a truncated download is trained on, or garbage crashes the program.
TEST_F(FileDocumentsTest, DamagedCompressedFilesAreRefused) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += std::to_string(i * i) + " ";
  for (const std::string& stored : {gzipped(text), zstd_compressed(text)}) {
    for (const size_t length : {size_t{4}, size_t{12}, stored.size() / 2, stored.size() - 1})
      EXPECT_NE(error("cut", stored.substr(0, length)).find("damaged"), std::string::npos)
          << length;
    std::string flipped = stored;
    flipped[stored.size() / 2] = static_cast<char>(flipped[stored.size() / 2] ^ 0x40);
    EXPECT_NE(error("flipped", flipped + "x").find("damaged"), std::string::npos);
  }
}

// Defect: other keys taken for the text, escapes left as they are, blank lines refused.
TEST_F(FileDocumentsTest, JsonLinesGiveTheirField) {
  const std::string lines =
      "\xEF\xBB\xBF{\"text\": \"one\\ntwo \\u00e9\", \"id\": 1}\r\n\n  \n{\"meta\": {\"text\": "
      "\"no\"}, \"text\": \"\"}\n{\"text\": \"last\"}";
  const Texts expected = {"one\ntwo \xC3\xA9", "last"};
  for (const std::string name : {"a.jsonl", "a.ndjson"}) {
    const Read got = read(name, lines);
    EXPECT_EQ(got.texts, expected);
    EXPECT_EQ(got.num_empty, 1);
  }
  EXPECT_EQ(read("a.jsonl.zst", zstd_compressed(lines)).texts, expected);
  EXPECT_EQ(read("a.jsonl.gz", gzipped(lines)).texts, expected);
  EXPECT_EQ(read("a.txt", "{\"body\": \"x\"}\n", {"", "", FormatChoice::kJsonLines, "body"}).texts,
            Texts{"x"});
  EXPECT_EQ(read("a.jsonl", "{\"text\"\n", {"", "", FormatChoice::kText}).texts,
            Texts{"{\"text\"\n"});
  EXPECT_EQ(read("a.jsonl", "").texts, Texts{});
}

TEST_F(FileDocumentsTest, BadJsonLinesNameTheLine) {
  EXPECT_NE(error("a.jsonl", "{\"text\": \"a\"}\n{\"text\": \n").find("a.jsonl:2"),
            std::string::npos);
  EXPECT_NE(error("a.jsonl", "\n\n{\"body\": \"a\"}\n").find("a.jsonl:3"), std::string::npos);
  EXPECT_NE(error("a.jsonl", "{\"text\": 5}\n").find("text"), std::string::npos);
  EXPECT_NE(error("a.jsonl", "[\"a\"]\n").find("a.jsonl:1"), std::string::npos);
  EXPECT_NE(error("a.jsonl", "{\"text\": \"\\ud800\"}\n").find("a.jsonl:1"), std::string::npos);
  error("a.jsonl", "{\"text\": " + std::string(1000, '[') + "\n");
}

// Defect: quotes, delimiters and line breaks within quoted fields that end them.
TEST_F(FileDocumentsTest, TablesGiveTheirColumn) {
  const std::string table =
      "id,text,other\r\n1,plain,x\r\n2,\"with, comma\",\r\n\r\n3,\"two\nlines "
      "\"\"quoted\"\"\",\"\"\n"
      "4,,\n5,\"\",y\n6,it's 5\" wide,z";
  const Read got = read("a.csv", table);
  EXPECT_EQ(got.texts, (Texts{"plain", "with, comma", "two\nlines \"quoted\"", "it's 5\" wide"}));
  EXPECT_EQ(got.num_empty, 2);
  EXPECT_EQ(read("a.tsv", "n\ttext\n1\ta, b\n2\t\"c\td\"\n").texts, (Texts{"a, b", "c\td"}));
  EXPECT_EQ(read("a.csv.gz", gzipped("text\na\n\nb\n")).texts, (Texts{"a", "b"}));
  EXPECT_EQ(
      read("a.csv", "id,\"the text\"\n1,x\n", {"", "", FormatChoice::kAuto, "the text"}).texts,
      Texts{"x"});
  EXPECT_EQ(read("a.csv", "").texts, Texts{});
}

TEST_F(FileDocumentsTest, BadTablesNameTheLine) {
  EXPECT_NE(error("a.csv", "id,body\n1,x\n").find("id, body"), std::string::npos);
  EXPECT_NE(error("a.csv", "id,text\n1,x\n2\n").find("a.csv:3: 1 field, but"), std::string::npos);
  EXPECT_NE(error("a.csv", "id,text\n1,\"x\ny\n").find("a.csv:2: a quoted field has no end"),
            std::string::npos);
  EXPECT_NE(error("a.csv", "text\n\"x\"y\n").find("a.csv:2: text behind"), std::string::npos);
  const std::string idle = message_of<DataError>([&] {
    read_source({folder_.write("b.csv", "text\nx\n"), "%", FormatChoice::kCommas});
  });
  EXPECT_NE(idle.find("separator has no effect"), std::string::npos) << idle;
  EXPECT_NE(
      error("c.txt", "{}\n", {"", "", FormatChoice::kAuto, "content"}).find("field has no effect"),
      std::string::npos);
  EXPECT_NE(error("c.jsonl", "{}\n", {"", "%"}).find("separator has no effect"), std::string::npos);
}

// Defect: a policy that drops more than the document, replaces more than the wrong bytes, or does
// not say how often it did.
TEST_F(FileDocumentsTest, TextThatIsNotUtf8IsReplacedOrSkipped) {
  const struct {
    const char* name;
    std::string content;
  } sources[] = {{"a.txt",
                  "good\n%\nb\xFF\xFE"
                  "d\n%\nalso good\n"},
                 {"a.txt.gz", gzipped("good\n%\nb\xFF\xFE"
                                      "d\n%\nalso good\n")},
                 {"a.jsonl",
                  "{\"text\":\"good\"}\n{\"text\":\"b\xFF\xFE"
                  "d\"}\n{\"text\":\"also good\"}\n"},
                 {"a.csv",
                  "text\ngood\nb\xFF\xFE"
                  "d\nalso good\n"}};
  for (const auto& [name, content] : sources) {
    const std::string separator = std::string(name).starts_with("a.txt") ? "%" : "";
    const SourceConfig source = {folder_.write(name, content), separator};
    const Read skipped = read_source(source, Utf8Policy::kSkip);
    EXPECT_EQ(skipped.texts, (Texts{"good", "also good"})) << name;
    EXPECT_EQ(skipped.num_skipped, 1);
    EXPECT_EQ(skipped.num_replaced, 0);
    const Read replaced = read_source(source, Utf8Policy::kReplace);
    EXPECT_EQ(replaced.texts, (Texts{"good",
                                     "b\xEF\xBF\xBD\xEF\xBF\xBD"
                                     "d",
                                     "also good"}))
        << name;
    EXPECT_EQ(replaced.num_replaced, 1);
    const std::string message = message_of<DataError>([&] { read_source(source); });
    EXPECT_NE(message.find("data.utf8"), std::string::npos) << message;
  }
}

// Defect: a pattern that matches in another order, or names that depend on where the folder lies.
TEST_F(FileDocumentsTest, PatternsMatchFilesAndFolders) {
  for (const char* name : {"2024/b.txt", "2023/a.txt", "2023/c.csv", "other/x.txt"})
    folder_.write(name, std::string(name) == "2023/c.csv" ? "text\nc\n" : name);
  const auto names = [&](const std::string& pattern) {
    Texts found;
    for (const SourceFile& file : list_source_files({{(folder_ / pattern).string(), ""}}))
      found.push_back(file.name);
    return found;
  };
  EXPECT_EQ(names("20*/*.txt"), (Texts{"2023/a.txt", "2024/b.txt"}));
  EXPECT_EQ(names("20??"), (Texts{"2023/a.txt", "2023/c.csv", "2024/b.txt"}));
  EXPECT_EQ(names("202[4]/b.txt"), Texts{"2024/b.txt"});
  const std::string message = message_of<DataError>([&] { names("*.parquet"); });
  EXPECT_NE(message.find("nothing matches"), std::string::npos);
  std::filesystem::create_symlink(folder_ / "nowhere", folder_ / "2024/x*");
  std::filesystem::create_directory(folder_ / "2024/empty");
  EXPECT_EQ(names("2024/*"), Texts{"b.txt"});
  folder_.write("odd[1].txt", "x");
  EXPECT_EQ(names("odd[1].txt"), Texts{"odd[1].txt"});  // a file with exactly this name
}

// Defect: UTF-16 and binary files trained on as text, because a zero byte is valid UTF-8.
TEST_F(FileDocumentsTest, FilesThatAreNoTextAreToldApart) {
  const auto refusal = [&](const std::string& content) {
    SourceConfig source;
    source.path = folder_.write("file", content);
    return message_of<DataError>([&] { read_source(source); });
  };
  using namespace std::string_literals;
  EXPECT_NE(refusal("\xFF\xFEh\0i\0"s).find("is UTF-16"), std::string::npos);
  EXPECT_NE(refusal("h\0i\0"s).find("file, byte 1: a zero byte"), std::string::npos);
  EXPECT_NE(refusal("abc\xFF").find("file, byte 3: invalid UTF-8"), std::string::npos);
  SourceConfig source;
  source.path = folder_.write("file", "a\0b"s);
  EXPECT_EQ(read_source(source, Utf8Policy::kReplace).texts,
            std::vector<std::string>{"a\xEF\xBF\xBD"
                                     "b"});
  EXPECT_TRUE(read_source(source, Utf8Policy::kSkip).texts.empty());
}

}  // namespace
}  // namespace lmtrain
