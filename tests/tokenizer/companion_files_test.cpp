#include "data/tokenizer/companion_files.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "data/tokenizer/tokenizer.h"
#include "tests/temporary_folder.h"
#include "tests/tokenizer/fixture.h"

namespace lmtrain {
namespace {

using Json = nlohmann::json;

class CompanionFiles : public testing::Test {
 protected:
  // vocab.json and merges.txt: the bytes, ".b", and what is asked for besides.
  void write_vocabulary(const std::vector<std::string>& others = {}) {
    const Json file = read_fixture("tokenizer.json");
    Json vocabulary;
    for (const auto& [token, id] : file["model"]["vocab"].items()) {
      if (id < 257) vocabulary[token] = id;
    }
    size_t next = 257;
    vocabulary[".b"] = next++;
    for (const std::string& other : others) vocabulary[other] = next++;
    folder_.write("vocab.json", vocabulary.dump());
    folder_.write("merges.txt", "#version: 0.2\r\n. b\r\n");
  }
  void write_config(const Json& config) { folder_.write("tokenizer_config.json", config.dump()); }
  std::vector<int32_t> encode(const std::string& text,
                              SpecialTokens special = SpecialTokens::kAsText) const {
    std::vector<int32_t> ids;
    Tokenizer::load(folder_.path()).encode(text, ids, special);
    return ids;
  }
  std::string refusal() const {
    return message_of<DataError>([&] { Tokenizer::load(folder_.path()); });
  }

  TemporaryFolder folder_;
};

// Defect: vocab.json and merges.txt of Qwen read as GPT-2's: "a.b" gave three ids for two.
TEST_F(CompanionFiles, TheClassSaysHowTextIsCut) {
  write_vocabulary();
  EXPECT_EQ(encode("a.b").size(), 3u) << "GPT-2 cuts before letters";
  write_config({{"tokenizer_class", "Qwen2Tokenizer"}});
  EXPECT_EQ(encode("a.b").size(), 2u);
  EXPECT_EQ(encode("a.b")[1], 257);
  folder_.write("config.json", R"({"model_type": "qwen2", "unused": NaN})");
  write_config(Json::object());
  EXPECT_EQ(encode("a.b").size(), 2u) << "config.json tells the class too";
  write_config({{"tokenizer_class", "CodeGenTokenizerFast"}});
  EXPECT_NE(refusal().find("of the class CodeGenTokenizer"), std::string::npos) << refusal();
  write_vocabulary({"<s>", "</s>"});
  write_config({{"tokenizer_class", "RobertaTokenizerFast"}});
  EXPECT_EQ(Tokenizer::load(folder_.path()).class_token(), 258);
  EXPECT_EQ(Tokenizer::load(folder_.path()).begin_of_text(), 258);
}

// Defect: added tokens beside the vocabulary that nobody finds, or that contradict it unnoticed.
TEST_F(CompanionFiles, AddedTokensExtendTheVocabulary) {
  write_vocabulary();
  folder_.write("added_tokens.json", R"({"<|im_end|>": 259, "<|im_start|>": 258})");
  write_config({{"eos_token", "<|im_end|>"},
                {"additional_special_tokens", {"<|im_start|>"}},
                {"added_tokens_decoder",
                 {{"260", {{"content", "<tool>"}, {"special", false}, {"normalized", false}}}}}});
  const Tokenizer tokenizer = Tokenizer::load(folder_.path());
  EXPECT_EQ(tokenizer.vocab_size(), 261);
  EXPECT_EQ(encode("<|im_start|>a<|im_end|>", SpecialTokens::kMatched),
            (std::vector<int32_t>{258, encode("a")[0], 259}));
  EXPECT_GT(encode("<|im_start|>").size(), 5u) << "a special token is text unless asked for";
  EXPECT_EQ(encode("<tool>"), std::vector<int32_t>{260}) << "one that is not special is found";
  folder_.write("added_tokens.json", R"({".b": 300})");
  EXPECT_NE(refusal().find("added_tokens.json gives '.b' the id 300"), std::string::npos)
      << refusal();
  folder_.write("added_tokens.json", R"({"another": 5})");
  EXPECT_NE(refusal().find("belongs to"), std::string::npos) << refusal();
}

// Defect: tokenizer_config.json asks for another treatment of text than tokenizer.json has, and one
// of them counts without a word.
TEST_F(CompanionFiles, ContradictionsAreRefusedByName) {
  Json file = read_fixture("tokenizer.json");
  folder_.write("tokenizer.json", file.dump());
  write_config({{"add_prefix_space", true}});
  EXPECT_NE(refusal().find("add_prefix_space is true, but tokenizer.json has false"),
            std::string::npos)
      << refusal();
  write_config({{"add_prefix_space", false}, {"do_lower_case", true}});
  EXPECT_NO_THROW(Tokenizer::load(folder_.path())) << "that is a key of BERT's";

  file = read_fixture("bert_uncased.json");
  folder_.write("tokenizer.json", file.dump());
  write_config({{"do_lower_case", true}, {"strip_accents", nullptr}});
  EXPECT_NO_THROW(Tokenizer::load(folder_.path()));
  write_config({{"do_lower_case", false}});
  EXPECT_NE(refusal().find("do_lower_case is false, but tokenizer.json has true"),
            std::string::npos)
      << refusal();
  write_config({{"strip_accents", false}});
  EXPECT_NE(refusal().find("strip_accents is false"), std::string::npos) << refusal();
}

// Defect: a vocab.txt from Windows, or with an empty last line, refused; its \r taken for a letter.
TEST_F(CompanionFiles, LineEndsOfVocabTxt) {
  const std::string tokens = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nab\n";
  folder_.write("vocab.txt", tokens);
  const uint64_t hash = Tokenizer::load(folder_.path()).hash();
  folder_.write("vocab.txt", tokens + "\n");
  EXPECT_EQ(Tokenizer::load(folder_.path()).hash(), hash);
  std::string windows;
  for (const char c : tokens) windows += c == '\n' ? "\r\n" : std::string(1, c);
  folder_.write("vocab.txt", windows);
  EXPECT_EQ(Tokenizer::load(folder_.path()).hash(), hash);
  folder_.write("vocab.txt", "[UNK]\n\nab\n");
  EXPECT_NE(refusal().find("vocab.txt:2: an empty line"), std::string::npos);
}

}  // namespace
}  // namespace lmtrain
