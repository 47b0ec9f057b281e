#include "data/tokenizer/gpt2_files.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "data/tokenizer/tokenizer.h"
#include "tests/temporary_folder.h"
#include "tests/tokenizer/fixture.h"

namespace lmtrain {
namespace {

// The vocabulary and merges of the reference's tokenizer.json.
struct Published {
  Published() {
    const auto file = read_fixture("tokenizer.json");
    vocabulary = file["model"]["vocab"];
    for (const auto& token : file["added_tokens"])
      vocabulary[token["content"].get<std::string>()] = token["id"];
    for (const auto& merge : file["model"]["merges"])
      merges += merge[0].get<std::string>() + " " + merge[1].get<std::string>() + "\n";
  }
  nlohmann::json vocabulary;
  std::string merges = "#version: 0.2\n";
};

// Defect: other ids than those of the same tokenizer in one file; an end token that is plain text.
TEST(Gpt2Files, GiveTheIdsOfTokenizerJson) {
  const Published published;
  const TemporaryFolder folder;
  folder.write("vocab.json", published.vocabulary.dump());
  EXPECT_FALSE(has_tokenizer(folder.path()));
  folder.write("merges.txt", published.merges);
  EXPECT_TRUE(has_tokenizer(folder.path()));
  const Tokenizer tokenizer = Tokenizer::load(folder.path());
  const Tokenizer reference = Tokenizer::load(fixture_path("tokenizer.json"));
  EXPECT_EQ(tokenizer.to_json(), reference.to_json());
  EXPECT_EQ(tokenizer.end_of_text(), reference.end_of_text());
}

// Defect: a damaged file that crashes or is read in part; a message without file and line.
TEST(Gpt2Files, DamagedOnesAreRefused) {
  const Published published;
  const TemporaryFolder folder;
  const auto refusal = [&](const std::string& vocabulary, const std::string& merges) {
    folder.write("vocab.json", vocabulary);
    folder.write("merges.txt", merges);
    return message_of<DataError>([&] { Tokenizer::load(folder.path()); });
  };
  const std::string good = published.vocabulary.dump();
  EXPECT_NE(refusal(good, "#version: 0.2\na b\nabc\n").find("merges.txt:3"), std::string::npos);
  EXPECT_NE(refusal(good, "a b c\n").find("merges.txt:1"), std::string::npos);
  EXPECT_NE(refusal(good, "nothere either\n").find("nothere"), std::string::npos);
  EXPECT_NE(refusal("[1]", published.merges).find("vocab.json"), std::string::npos);
  EXPECT_NE(refusal(R"({"a":1,"a":2})", published.merges).find("twice"), std::string::npos);
  EXPECT_NE(refusal(R"({"a":0})", "").find("byte"), std::string::npos);
}

}  // namespace
}  // namespace lmtrain
