// Whole tokenizers of BERT's kind: ids, decoding, special tokens, and the files they come in.
#include <functional>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/error.h"
#include "data/tokenizer/tokenizer.h"
#include "data/tokenizer/wordpiece_model.h"
#include "tests/temporary_folder.h"
#include "tests/tokenizer/fixture.h"

namespace lmtrain {
namespace {

using Ids = std::vector<int32_t>;
using Json = nlohmann::json;

Ids encode(const Tokenizer& tokenizer, std::string_view text) {
  Ids ids;
  tokenizer.encode(text, ids);
  return ids;
}

Tokenizer load(const std::string& name) {
  return Tokenizer::load(fixture_path("bert_" + name + ".json"));
}

std::string refusal_after(const std::function<void(Json&)>& change) {
  Json file = read_fixture("bert_uncased.json");
  change(file);
  return message_of<DataError>([&] { (void)Tokenizer::parse(file.dump(), "x.json"); });
}

// Defect: ids that differ from the reference's, with and without the word cache, before and after
// being written.
TEST(WordPiece, IdsAreThoseOfTheReference) {
  for (const std::string name : {"uncased", "cased"}) {
    const Tokenizer loaded = load(name);
    const Tokenizer again = Tokenizer::parse(loaded.to_json(), "written");
    EXPECT_EQ(again.hash(), loaded.hash());
    Tokenizer::Encoder encoder(again);
    const auto cases = read_fixture("encode_bert_" + name + ".json")["encode"];
    ASSERT_GT(cases.size(), 100u);
    for (int round = 0; round < 2; ++round) {
      for (const auto& expected : cases) {
        const auto text = expected["text"].get<std::string>();
        EXPECT_EQ(encode(loaded, text), expected["ids"].get<Ids>()) << name << ": " << text;
        Ids ids;
        encoder.encode(text, ids);
        EXPECT_EQ(ids, expected["ids"].get<Ids>()) << name << ": " << text;
      }
    }
  }
}

// Defect: spaces, prefixes or marks that the reference would write otherwise.
TEST(WordPiece, DecodesAsTheReference) {
  for (const std::string name : {"uncased", "cased"}) {
    const Tokenizer tokenizer = load(name);
    for (const auto& expected : read_fixture("encode_bert_" + name + ".json")["decode"]) {
      const Ids ids = expected["ids"].get<Ids>();
      EXPECT_EQ(tokenizer.decode(ids), expected["text"]);
      EXPECT_EQ(tokenizer.decode(ids, true), expected["with_special_tokens"]);
    }
  }
}

// Defect: special tokens in other places than the reference's, or type ids of the wrong text.
TEST(WordPiece, SpecialTokensStandAsInTheReference) {
  const Tokenizer tokenizer = load("uncased");
  for (const auto& expected : read_fixture("encode_bert_uncased.json")["template"]) {
    Ids ids;
    Ids type_ids;
    tokenizer.add_special_tokens(expected["first"].get<Ids>(), expected["second"].get<Ids>(), ids,
                                 type_ids);
    EXPECT_EQ(ids, expected["ids"].get<Ids>());
    EXPECT_EQ(type_ids, expected["type_ids"].get<Ids>());
  }
}

// Defect: a special token not found by its name, or looked for in the plain vocabulary.
TEST(WordPiece, SpecialTokensHaveTheirRoles) {
  const Tokenizer tokenizer = load("uncased");
  EXPECT_EQ(tokenizer.pad_token(), 0);
  EXPECT_EQ(tokenizer.unknown_token(), 1);
  EXPECT_EQ(tokenizer.class_token(), 2);
  EXPECT_EQ(tokenizer.separator_token(), 3);
  EXPECT_EQ(tokenizer.mask_token(), 4);
  EXPECT_EQ(tokenizer.end_of_text(), 3);
  EXPECT_EQ(tokenizer.begin_of_text(), 2);
  EXPECT_TRUE(tokenizer.is_special(4));
  EXPECT_FALSE(tokenizer.is_special(5));
  EXPECT_EQ(tokenizer.token_text(4), "[MASK]");
  EXPECT_EQ(tokenizer.token_num_bytes(4), 0);
  EXPECT_THROW((void)tokenizer.is_special(-1), DataError);
  const Ids ids = encode(tokenizer, "[MASK]");
  EXPECT_EQ(std::count(ids.begin(), ids.end(), 4), 0);
  const Tokenizer gpt2 = Tokenizer::load(fixture_path("tokenizer.json"));
  EXPECT_EQ(gpt2.mask_token(), -1);
  EXPECT_EQ(gpt2.separator_token(), -1);
}

// Defect: a piece of a word taken for a new one, which would mask half a word.
TEST(WordPiece, TellsWhatContinuesAWord) {
  const Tokenizer tokenizer = load("uncased");
  const Ids ids = encode(tokenizer, "thezz");  // "z" is unknown in this vocabulary
  ASSERT_EQ(ids, Ids{1});
  for (const auto& [token, id] : read_fixture("bert_uncased.json")["model"]["vocab"].items()) {
    EXPECT_EQ(tokenizer.continues_word(id), token.size() > 1 && token.starts_with("##")) << token;
  }
  const Tokenizer gpt2 = Tokenizer::load(fixture_path("tokenizer.json"));
  for (const int32_t id : encode(gpt2, " the river")) {
    EXPECT_EQ(gpt2.continues_word(id), !gpt2.token_text(id).starts_with(" "));
  }
}

Ids model_ids(const std::vector<std::string>& tokens, const WordPieceOptions& options,
              std::string_view word) {
  Ids ids = {7};
  WordPieceModel(tokens, options, "x").encode_word(word, ids);
  return ids;
}

// Defect: a shorter token than the longest; a continuing token at a word's start, or the other way
// round; ids of the first half left behind when the second fails; bytes counted for characters.
TEST(WordPieceModel, TakesTheLongestTokens) {
  const std::vector<std::string> tokens = {"[UNK]", "a", "ab", "##b", "##bc", "##c", "##\xC3\xA9"};
  EXPECT_EQ(model_ids(tokens, {}, "abc"), (Ids{7, 2, 5}));
  EXPECT_EQ(model_ids(tokens, {}, "abcb"), (Ids{7, 2, 5, 3}));
  EXPECT_EQ(model_ids(tokens, {}, "abcx"), (Ids{7, 0}));
  EXPECT_EQ(model_ids(tokens, {}, "b"), (Ids{7, 0}));
  EXPECT_EQ(model_ids(tokens, {}, "##b"), (Ids{7, 3}));
  EXPECT_EQ(model_ids(tokens, {}, "a\x80"), (Ids{7, 0}));
  EXPECT_EQ(model_ids(tokens, {.max_characters = 3}, "a\xC3\xA9\xC3\xA9"), (Ids{7, 1, 6, 6}));
  EXPECT_EQ(model_ids(tokens, {.max_characters = 2}, "a\xC3\xA9\xC3\xA9"), (Ids{7, 0}));
  EXPECT_EQ(model_ids(tokens, {.continuing_prefix = "@@"}, "ab"), (Ids{7, 2}));
  EXPECT_EQ(model_ids(tokens, {.continuing_prefix = "@@"}, "aa"), (Ids{7, 0}));
  EXPECT_EQ(model_ids(tokens, {.continuing_prefix = ""}, "aab"), (Ids{7, 1, 2}));
}

// Defect: a file that contradicts itself is accepted.
TEST(WordPiece, RefusesWhatItDoesNotHave) {
  struct Refused {
    std::function<void(Json&)> change;
    const char* message;
  };
  const Refused cases[] = {
      {[](Json& f) { f["model"]["unk_token"] = "<none>"; }, "unk_token: '<none>' is not in the"},
      {[](Json& f) { f["model"]["unk_token"] = ""; }, "unk_token: '' is not in the"},
      {[](Json& f) { f["model"].erase("unk_token"); }, "the key 'unk_token' is missing"},
      {[](Json& f) { f["model"]["max_input_chars_per_word"] = -1; }, "must be an integer"},
      {[](Json& f) { f["model"]["max_input_chars_per_word"] = "100"; }, "must be an integer"},
      {[](Json& f) { f["model"]["continuing_subword_prefix"] = 1; }, "continuing_subword_prefix"},
      {[](Json& f) { f["model"]["merges"] = Json::array(); }, "unknown field 'merges'"},
      {[](Json& f) { f["normalizer"]["lowercase"] = 1; }, "lowercase: must be true or false"},
      {[](Json& f) { f["normalizer"]["strip_accents"] = "no"; }, "strip_accents"},
      {[](Json& f) { f["normalizer"]["profile"] = "own"; }, "profile: only 'google' is known"},
      {[](Json& f) { f["normalizer"]["unicode_tables"] = "16"; }, "made with the tables '16'"},
      {[](Json& f) { f["normalizer"]["more"] = 1; }, "unknown field 'more'"},
      {[](Json& f) { f["pre_tokenizer"]["more"] = 1; }, "unknown field 'more'"},
      {[](Json& f) { f["decoder"]["cleanup"] = 1; }, "cleanup: must be true or false"},
      {[](Json& f) { f["post_processor"]["single"].push_back(1); }, "single[3]: must be an object"},
      {[](Json& f) { f["post_processor"]["single"] = Json::array(); }, "must hold each text once"},
      {[](Json& f) { f["post_processor"]["pair"].erase(3); }, "must hold each text once"},
      {[](Json& f) { f["post_processor"]["single"][1]["Sequence"]["id"] = "C"; }, "'A' or 'B'"},
      {[](Json& f) { f["post_processor"]["single"][1]["Sequence"]["type_id"] = 2; }, "type_id"},
      {[](Json& f) { f["post_processor"]["special_tokens"]["[CLS]"]["ids"] = {3}; },
       "the added token has the id 2"},
      {[](Json& f) {
         f["post_processor"]["special_tokens"]["[CLS]"]["ids"] = {2, 3};
       },
       "must be a list of one id"},
  };
  for (const Refused& refused : cases) {
    const std::string message = refusal_after(refused.change);
    EXPECT_NE(message.find(refused.message), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

// Defect: other templates than the reference's, whose rule is code there and not a list.
TEST(WordPiece, BertAndRobertaProcessingAreTemplates) {
  Json file = read_fixture("bert_uncased.json");
  const auto with = [&](const Json& processor) {
    file["post_processor"] = processor;
    return Tokenizer::parse(file.dump(), "x.json");
  };
  const auto pair_of = [](const Tokenizer& tokenizer) {
    Ids ids;
    Ids type_ids;
    tokenizer.add_special_tokens(Ids{10, 11}, Ids{12}, ids, type_ids);
    return std::pair(ids, type_ids);
  };
  const Json cls = {"[CLS]", 2};
  const Json sep = {"[SEP]", 3};
  const Tokenizer bert = with({{"type", "BertProcessing"}, {"sep", sep}, {"cls", cls}});
  EXPECT_EQ(bert.hash(), load("uncased").hash());
  EXPECT_EQ(pair_of(bert), std::pair(Ids({2, 10, 11, 3, 12, 3}), Ids({0, 0, 0, 0, 1, 1})));
  const Tokenizer roberta = with({{"type", "RobertaProcessing"},
                                  {"sep", sep},
                                  {"cls", cls},
                                  {"trim_offsets", true},
                                  {"add_prefix_space", false}});
  EXPECT_EQ(pair_of(roberta), std::pair(Ids({2, 10, 11, 3, 3, 12, 3}), Ids(7, 0)));
  EXPECT_EQ(pair_of(with(nullptr)), std::pair(Ids({10, 11, 12}), Ids({0, 0, 1})));
  EXPECT_THROW(with({{"type", "BertProcessing"}, {"sep", {"[SEP]", 4}}, {"cls", cls}}), DataError);
  EXPECT_THROW(with({{"type", "BertProcessing"}, {"sep", {"x", 3}}, {"cls", cls}}), DataError);
}

// Defect: the file of a sentence encoder is refused because it stores truncation and padding.
TEST(WordPiece, TruncationAndPaddingAreLeftToCalls) {
  Json file = read_fixture("bert_uncased.json");
  file["truncation"] = {{"direction", "Right"}, {"max_length", 128}, {"stride", 0}};
  file["padding"] = {{"strategy", {{"Fixed", 128}}}, {"pad_id", 0}, {"pad_token", "[PAD]"}};
  EXPECT_EQ(Tokenizer::parse(file.dump(), "x.json").hash(), load("uncased").hash());
}

// The vocabulary as BERT published it.
std::string vocabulary_text(const Json& vocabulary) {
  std::vector<std::string> tokens(vocabulary.size());
  for (const auto& [token, id] : vocabulary.items()) tokens[id.get<size_t>()] = token;
  std::string text;
  for (const std::string& token : tokens) text += token + "\n";
  return text;
}

// Defect: other ids than those of the same tokenizer in one file; lines cut at other characters
// than \n; case kept or lost against the config.
TEST(BertFiles, GiveTheIdsOfTokenizerJson) {
  const TemporaryFolder folder;
  EXPECT_FALSE(has_tokenizer(folder.path()));
  folder.write("vocab.txt", vocabulary_text(read_fixture("bert_uncased.json")["model"]["vocab"]));
  EXPECT_TRUE(has_tokenizer(folder.path()));
  EXPECT_EQ(Tokenizer::load(folder.path()).to_json(), load("uncased").to_json());
  folder.write("tokenizer_config.json", R"({"do_lower_case":true,"model_max_length":1e30})");
  EXPECT_EQ(Tokenizer::load(folder.path()).to_json(), load("uncased").to_json());

  folder.write("vocab.txt", vocabulary_text(read_fixture("bert_cased.json")["model"]["vocab"]));
  folder.write("tokenizer_config.json", R"({"do_lower_case":false,"strip_accents":null})");
  EXPECT_EQ(Tokenizer::load(folder.path()).to_json(), load("cased").to_json());
  folder.write("tokenizer_config.json",
               R"({"strip_accents":false,"tokenize_chinese_chars":false})");
  const std::string json = Tokenizer::load(folder.path()).to_json();
  EXPECT_NE(json.find(R"("handle_chinese_chars":false,"strip_accents":false)"), std::string::npos);

  folder.write("vocab.txt", "[UNK]\na\x0D\n\xE2\x80\xA8\nno line end");
  EXPECT_EQ(Tokenizer::load(folder.path()).vocab_size(), 4);

  folder.write("tokenizer.json", read_fixture("bert_uncased.json").dump());
  folder.write("tokenizer_config.json", "{}");
  EXPECT_EQ(Tokenizer::load(folder.path()).to_json(), load("uncased").to_json());
}

// Defect: a damaged vocabulary read in part.
TEST(BertFiles, DamagedOnesAreRefused) {
  const TemporaryFolder folder;
  const auto refusal = [&](const std::string& text) {
    folder.write("vocab.txt", text);
    return message_of<DataError>([&] { Tokenizer::load(folder.path()); });
  };
  EXPECT_NE(refusal("[UNK]\na\n\nb\n").find("vocab.txt:3: an empty line"), std::string::npos);
  EXPECT_NE(refusal("[UNK]\na\na\n").find("vocab.txt:3: 'a' is there twice"), std::string::npos);
  EXPECT_NE(refusal("a\nb\n").find("'[UNK]' is not in the vocabulary"), std::string::npos);
  EXPECT_NE(refusal("").find("'[UNK]'"), std::string::npos);
  EXPECT_NE(refusal("[UNK]\n\xFF\n").find("vocab.txt:2: not UTF-8"), std::string::npos);
  folder.write("tokenizer_config.json", R"({"do_lower_case":"yes"})");
  EXPECT_NE(refusal("[UNK]\n").find("tokenizer_config.json.do_lower_case"), std::string::npos);
}

// Defect: a crash on some file that is nearly right.
TEST(WordPiece, DamagedFilesNeverCrash) {
  const std::string good = read_fixture("bert_uncased.json").dump();
  std::mt19937 random(6);
  int refused = 0;
  for (int round = 0; round < 1000; ++round) {
    std::string text = good;
    const size_t at = random() % 2500 % text.size();
    if (random() % 2 == 0)
      text[at] = static_cast<char>(random());
    else
      text.erase(at, 1 + random() % 20);
    try {
      (void)Tokenizer::parse(text, "x");
    } catch (const DataError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 500);
}

}  // namespace
}  // namespace lmtrain
