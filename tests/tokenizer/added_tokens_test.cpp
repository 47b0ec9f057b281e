#include "data/tokenizer/added_tokens.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/error.h"
#include "data/tokenizer/tokenizer.h"
#include "tests/temporary_folder.h"
#include "tests/tokenizer/fixture.h"

namespace lmtrain {
namespace {

using Ids = std::vector<int32_t>;
using Json = nlohmann::json;

// Defect: a token found elsewhere than by the reference, or special ones found where they are text:
// overlaps, neighbours of single words, white space that goes along, normalised forms.
TEST(AddedTokens, AreFoundWhereTheReferenceFindsThem) {
  const auto fixtures = read_fixture("added_tokens.json");
  ASSERT_GT(fixtures.size(), 20u);
  for (const auto& fixture : fixtures) {
    const Tokenizer loaded = Tokenizer::parse(fixture["tokenizer"].dump(), "x.json");
    const Tokenizer tokenizer = Tokenizer::parse(loaded.to_json(), "written");
    EXPECT_EQ(tokenizer.hash(), loaded.hash());
    Tokenizer::Encoder encoder(tokenizer);
    for (const auto& expected : fixture["cases"]) {
      const auto text = expected[0].get<std::string>();
      Ids as_text;
      tokenizer.encode(text, as_text);
      EXPECT_EQ(as_text, expected[1].get<Ids>())
          << expected[0] << ", " << fixture["tokenizer"]["added_tokens"];
      Ids matched;
      encoder.encode(text, matched, SpecialTokens::kMatched);
      EXPECT_EQ(matched, expected[2].get<Ids>())
          << expected[0] << ", " << fixture["tokenizer"]["added_tokens"];
    }
  }
}

Json with_token(const Json& token) {
  Json file = read_fixture("added_tokens.json")[1]["tokenizer"];
  file["added_tokens"] = {token};
  return file;
}

// Defect: a plain token is taken for a special one, so that its text is missing after decoding.
TEST(AddedTokens, PlainOnesAreText) {
  const int64_t id = read_fixture("added_tokens.json")[1]["tokenizer"]["model"]["vocab"].size();
  const Json token = {{"id", id}, {"content", "<think>"}, {"special", false}};
  const Tokenizer tokenizer = Tokenizer::parse(with_token(token).dump(), "x.json");
  Ids ids;
  tokenizer.encode("a<think>", ids);
  ASSERT_EQ(ids.back(), id);
  EXPECT_FALSE(tokenizer.is_special(ids.back()));
  EXPECT_EQ(tokenizer.decode(ids), "a <think>");
  EXPECT_EQ(tokenizer.token_num_bytes(ids.back()), 8);
}

// Defect: a token whose normalised form is empty is found everywhere.
TEST(AddedTokens, RefusesOneWithoutNormalForm) {
  const int64_t id = read_fixture("added_tokens.json")[1]["tokenizer"]["model"]["vocab"].size();
  const Json token = {{"id", id}, {"content", "\x01"}, {"normalized", true}, {"special", true}};
  const std::string message =
      message_of<DataError>([&] { (void)Tokenizer::parse(with_token(token).dump(), "x.json"); });
  EXPECT_NE(message.find("'<0x01>' is normalized, and nothing"), std::string::npos) << message;
}

// Defect: bytes that are not UTF-8 beside a token read beyond the text.
TEST(AddedTokens, StandInTextThatIsNoUtf8) {
  const std::vector<AddedToken> tokens = {
      {.id = 5, .content = "<t>", .single_word = true, .lstrip = true, .rstrip = true}};
  const AddedTokenFinder finder(tokens, {"<t>"});
  for (const std::string text : {"\xFF<t>\xC3", " <t> \xE3\x80", "\x80\x80\x80\x80\x80<t>"}) {
    int found = 0;
    std::string rest;
    finder.cut(
        text, true, [&](std::string_view part) { rest += part; }, [&](int32_t) { ++found; });
    EXPECT_EQ(found, 1) << text;
    EXPECT_EQ(rest.find('<'), std::string::npos);
  }
}

}  // namespace
}  // namespace lmtrain
