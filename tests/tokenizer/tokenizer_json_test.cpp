// Tests of tokenizer.json: what is kept, what is refused, and that no file crashes the program.
#include <filesystem>
#include <functional>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/strict_json.h"
#include "data/tokenizer/tokenizer.h"
#include "tests/temporary_folder.h"
#include "tests/tokenizer/fixture.h"

namespace lmtrain {
namespace {

using Json = nlohmann::json;

// The fixture with all 256 bytes but only its first merges, so that it parses fast.
Json small_file() {
  Json file = read_fixture("tokenizer.json");
  Json& model = file["model"];
  Json vocabulary;
  for (const auto& [token, id] : model["vocab"].items()) {
    if (id < 260) vocabulary[token] = id;
  }
  model["vocab"] = vocabulary;
  Json merges = Json::array({model["merges"][0], model["merges"][1], model["merges"][2]});
  model["merges"] = merges;
  return file;
}

// Returns the message of the DataError for a text, "" when the text is accepted.
std::string refusal(const std::string& text) {
  try {
    (void)Tokenizer::parse(text, "x.json");
  } catch (const DataError& error) {
    return error.what();
  }
  return "";
}

std::string refusal_after(const std::function<void(Json&)>& change) {
  Json file = small_file();
  change(file);
  return refusal(file.dump());
}

void expect_part(const std::string& message, const std::string& part) {
  EXPECT_NE(message.find(part), std::string::npos) << "'" << message << "' lacks '" << part << "'";
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  EXPECT_LT(message.size(), 400u) << message;
}

// Defect: something lost in the stored form.
TEST(TokenizerJson, RoundTripKeepsIdsAndHash) {
  const auto folder = std::filesystem::temp_directory_path() /
                      ("lmtrain-tokenizer-" + std::to_string(std::random_device()()));
  std::filesystem::create_directory(folder);
  const Tokenizer tokenizer = Tokenizer::load(fixture_path("tokenizer.json"));
  tokenizer.save(folder / "tokenizer.json");
  const Tokenizer by_folder = Tokenizer::load(folder);
  const Tokenizer by_file = Tokenizer::load(folder / "tokenizer.json");
  std::filesystem::remove_all(folder);
  EXPECT_EQ(by_folder.to_json(), tokenizer.to_json());
  EXPECT_EQ(by_file.hash(), tokenizer.hash());
  for (const auto& expected : read_fixture("encode.json")) {
    std::vector<int32_t> ids;
    by_file.encode(expected["text"].get<std::string>(), ids);
    EXPECT_EQ(ids, expected["ids"].get<std::vector<int32_t>>());
  }
}

// Defect: a vocabulary or merges that do not survive as the reference wrote them.
TEST(TokenizerJson, WritesTheModelOfTheReference) {
  const Json reference = read_fixture("tokenizer.json");
  const Json own = Json::parse(Tokenizer::load(fixture_path("tokenizer.json")).to_json());
  EXPECT_EQ(own["model"], reference["model"]);
  EXPECT_EQ(own["added_tokens"], reference["added_tokens"]);
}

// Defect: another hash for a file that gives the same ids: the older spellings of the format.
TEST(TokenizerJson, OlderSpellingsAreTheSameTokenizer) {
  const Json plain = small_file();
  Json older = plain;
  older["model"].erase("type");
  older["model"].erase("ignore_merges");
  older["model"]["continuing_subword_prefix"] = "";
  older["pre_tokenizer"].erase("use_regex");
  older["post_processor"] = {
      {"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", false}};
  for (Json& merge : older["model"]["merges"]) {
    merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
  }
  EXPECT_EQ(Tokenizer::parse(older.dump(), "older").hash(),
            Tokenizer::parse(plain.dump(), "plain").hash());
}

// Defect: two tokenizers with one hash.
TEST(TokenizerJson, OtherMergesHaveAnotherHash) {
  Json swapped = small_file();
  std::swap(swapped["model"]["merges"][0], swapped["model"]["merges"][1]);
  EXPECT_NE(Tokenizer::parse(swapped.dump(), "swapped").hash(),
            Tokenizer::parse(small_file().dump(), "plain").hash());
}

// Defect: a tokenizer of GPT-2's kind, whose special token is the last id and in the added tokens
// only, refused or given a wrong vocabulary size.
TEST(TokenizerJson, SpecialTokensMayFollowTheModel) {
  Json file = small_file();
  file["model"]["vocab"].erase(std::string(kEndOfText));
  for (auto& [token, id] : file["model"]["vocab"].items()) id = id.get<int>() - 1;
  file["added_tokens"][0]["id"] = 259;
  const Tokenizer tokenizer = Tokenizer::parse(file.dump(), "x.json");
  EXPECT_EQ(tokenizer.end_of_text(), 259);
  EXPECT_EQ(tokenizer.vocab_size(), 260);
  EXPECT_EQ(Tokenizer::parse(tokenizer.to_json(), "again").hash(), tokenizer.hash());

  file["added_tokens"] = Json::array();
  EXPECT_EQ(Tokenizer::parse(file.dump(), "x.json").end_of_text(), -1);
}

struct Refused {
  const char* name;
  std::function<void(Json&)> change;
  const char* message;  // a part of it
};

// Defect: a component, type or value that changes ids, ignored. Each is refused
// with file and place.
TEST(TokenizerJson, RefusesWhatItDoesNotHave) {
  const Refused cases[] = {
      {"field", [](Json& f) { f["extra"] = 1; }, "x.json: unknown field 'extra' = 1"},
      {"version", [](Json& f) { f["version"] = "2.0"; }, "version: only '1.0' is known"},
      {"truncation", [](Json& f) { f["truncation"] = 5; }, "x.json: truncation: must be an object"},
      {"padding", [](Json& f) { f["padding"] = true; }, "x.json: padding: must be an object"},
      {"normalizer",
       [](Json& f) {
         f["normalizer"] = {{"type", "NFKC"}};
       },
       "x.json: normalizer: the type 'NFKC' is not supported"},
      {"pre-tokeniser",
       [](Json& f) {
         f["pre_tokenizer"] = {{"type", "Whitespace"}};
       },
       "pre_tokenizer: the type 'Whitespace' is not supported"},
      {"no pre-tokeniser", [](Json& f) { f["pre_tokenizer"] = nullptr; },
       "pre_tokenizer: must be an object, is null"},
      {"prefix space", [](Json& f) { f["pre_tokenizer"]["add_prefix_space"] = true; },
       "pre_tokenizer.add_prefix_space: only false"},
      {"no regex", [](Json& f) { f["pre_tokenizer"]["use_regex"] = false; },
       "pre_tokenizer.use_regex: only true"},
      {"regex by number", [](Json& f) { f["pre_tokenizer"]["use_regex"] = 1; },
       "pre_tokenizer.use_regex: must be true or false, is 1"},
      {"other tables", [](Json& f) { f["pre_tokenizer"]["unicode_tables"] = "other"; },
       "pre_tokenizer.unicode_tables: made with the tables 'other'"},
      {"field of pre-tokeniser", [](Json& f) { f["pre_tokenizer"]["pattern"] = "x"; },
       "pre_tokenizer: unknown field 'pattern'"},
      {"post-processor",
       [](Json& f) {
         f["post_processor"] = {{"type", "Other"}};
       },
       "post_processor: the type 'Other'"},
      {"template without text",
       [](Json& f) {
         f["post_processor"] = {{"type", "TemplateProcessing"}};
       },
       "post_processor: the key 'single' is missing"},
      {"template of an unknown token",
       [](Json& f) {
         f["post_processor"] = {{"type", "TemplateProcessing"},
                                {"single",
                                 {{{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}},
                                  {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}}};
       },
       "'<s>' is none of the added tokens"},
      {"another pattern",
       [](Json& f) {
         f["pre_tokenizer"] = {
             {"type", "Sequence"},
             {"pretokenizers",
              {{{"type", "Split"},
                {"pattern", {{"Regex", "x+"}}},
                {"behavior", "Isolated"},
                {"invert", false}},
               {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}}}};
       },
       "'x+' is not a pattern that lmtrain has"},
      {"a pattern and GPT-2's besides",
       [](Json& f) {
         f["pre_tokenizer"] = {
             {"type", "Sequence"},
             {"pretokenizers",
              {read_fixture("tokenizer_llama3.json")["pre_tokenizer"]["pretokenizers"][0],
               {{"type", "ByteLevel"}, {"add_prefix_space", false}}}}};
       },
       "use_regex: must be false after a Split"},
      {"decoder", [](Json& f) { f["decoder"]["type"] = "Metaspace"; },
       "decoder: the type 'Metaspace'"},
      {"model", [](Json& f) { f["model"]["type"] = "Unigram"; }, "model: the type 'Unigram'"},
      {"model is a list", [](Json& f) { f["model"] = Json::array(); },
       "model: must be an object, is a list"},
      {"no model", [](Json& f) { f.erase("model"); }, "model: must be an object, is null"},
      {"field of model", [](Json& f) { f["model"]["max_length"] = 3; },
       "model: unknown field 'max_length'"},
      {"dropout", [](Json& f) { f["model"]["dropout"] = 0.1; }, "model.dropout: not supported"},
      {"suffix", [](Json& f) { f["model"]["end_of_word_suffix"] = "</w>"; },
       "model.end_of_word_suffix: not supported"},
      {"ignore_merges", [](Json& f) { f["model"]["ignore_merges"] = 1; },
       "model.ignore_merges: must be true or false"},
      {"added token", [](Json& f) { f["added_tokens"][0]["special"] = 1; },
       "added_tokens[0].special: must be true or false"},
  };
  for (const Refused& refused : cases) {
    SCOPED_TRACE(refused.name);
    expect_part(refusal_after(refused.change), refused.message);
  }
}

// Defect: ids that wrap, leave holes or collide, and merges of tokens that do not exist.
TEST(TokenizerJson, RefusesContradictions) {
  const auto set_id = [](const Json& id) {
    return [id](Json& f) { f["model"]["vocab"]["!"] = id; };
  };
  const auto set_merge = [](const Json& merge) {
    return [merge](Json& f) { f["model"]["merges"][1] = merge; };
  };
  const Refused cases[] = {
      {"far away", set_id(70000), "vocab['!']: must be an integer from 0 to 259, is 70000"},
      {"negative id", set_id(-1), "vocab['!']: must be an integer from 0 to 259, is -1"},
      {"2^32", set_id(4294967297), "is 4294967297"},
      {"2^63", set_id(UINT64_C(1) << 63), "is 9223372036854775808"},
      {"2^64 as a float", set_id(18446744073709551616.0), "must be an integer"},
      {"fraction", set_id(1.5), "is 1.5"},
      {"text as an id", set_id("1"), "must be an integer from 0 to 259, is '1'"},
      {"collision", set_id(2), "the id 2 belongs to"},
      {"empty token", [](Json& f) { f["model"]["vocab"][""] = 260; }, "an empty token"},
      {"vocab is a list", [](Json& f) { f["model"]["vocab"] = Json::array(); },
       "model.vocab: must be an object, is a list"},
      {"no vocab", [](Json& f) { f["model"].erase("vocab"); }, "model: the key 'vocab' is missing"},
      {"no merges", [](Json& f) { f["model"].erase("merges"); }, "'merges' is missing"},
      {"missing byte",
       [](Json& f) {
         const int id = f["model"]["vocab"]["!"];
         f["model"]["vocab"].erase("!");
         f["model"]["vocab"]["other"] = id;
       },
       "no token '!' for the byte 33"},
      {"unknown part", set_merge({"zzz", "a"}), "merges[1]: 'zzz' is not in the vocabulary"},
      {"unknown whole", set_merge({"!", "!"}), "merges[1]: makes '!!', which is not"},
      {"empty part", set_merge({"", "!"}), "merges[1]: '' is not in the vocabulary"},
      {"three parts", set_merge({"a", "b", "c"}), "merges[1]: must be a list of two"},
      {"two spaces", set_merge("a b c"), "merges[1]: must be two tokens"},
      {"number", set_merge(5), "merges[1]: must be a list of two tokens, is 5"},
      {"merge twice", [](Json& f) { f["model"]["merges"][1] = f["model"]["merges"][0]; },
       "merges[1]: the same pair as an earlier merge"},
      {"special id out of range", [](Json& f) { f["added_tokens"][0]["id"] = 70000; },
       "added_tokens: the id 70000 of '<|endoftext|>' is out of range: the file has 260 tokens"},
      {"special id too large", [](Json& f) { f["added_tokens"][0]["id"] = 2147483648; },
       "added_tokens[0].id: must be an integer"},
      {"special id of another", [](Json& f) { f["added_tokens"][0]["id"] = 5; },
       "added_tokens: the id 5 of '<|endoftext|>' belongs to"},
      {"special twice", [](Json& f) { f["added_tokens"].push_back(f["added_tokens"][0]); },
       "added_tokens[1]: '<|endoftext|>' is there twice"},
      {"special empty", [](Json& f) { f["added_tokens"][0]["content"] = ""; }, "an empty token"},
      {"added tokens by name", [](Json& f) { f["added_tokens"] = "x"; },
       "added_tokens: must be a list, is 'x'"},
  };
  for (const Refused& refused : cases) {
    SCOPED_TRACE(refused.name);
    expect_part(refusal_after(refused.change), refused.message);
  }
}

// Defect: a file refused for what changes nothing: no dropout, lists of one part, a decoder that is
// left to the class, an id that no token has.
TEST(TokenizerJson, HarmlessSpellingsAreTheSameTokenizer) {
  const Tokenizer plain = Tokenizer::parse(small_file().dump(), "x.json");
  const auto after = [](const std::function<void(Json&)>& change) {
    Json file = small_file();
    change(file);
    return Tokenizer::parse(file.dump(), "x.json");
  };
  const auto one = [](const char* list, const Json& part) {
    return Json{{"type", "Sequence"}, {list, Json::array({part})}};
  };
  for (const std::function<void(Json&)>& change : std::vector<std::function<void(Json&)>>{
           [](Json& f) { f["model"]["dropout"] = 0.0; },
           [&](Json& f) { f["pre_tokenizer"] = one("pretokenizers", f["pre_tokenizer"]); },
           [&](Json& f) { f["decoder"] = one("decoders", f["decoder"]); },
           [](Json& f) { f["decoder"] = nullptr; }, [](Json& f) { f.erase("decoder"); }}) {
    EXPECT_EQ(after(change).to_json(), plain.to_json());
  }
  expect_part(refusal_after([](Json& f) { f["model"]["dropout"] = 0.1; }), "dropout");

  const Tokenizer with_hole = after([](Json& f) { f["model"]["vocab"]["!"] = 300; });
  EXPECT_EQ(with_hole.vocab_size(), 301);
  std::vector<int32_t> ids;
  with_hole.encode("!", ids);
  EXPECT_EQ(ids, std::vector<int32_t>{300});
  const std::vector<int32_t> hole = {290};
  EXPECT_EQ(with_hole.decode(ids) + with_hole.decode(hole), "!");
  EXPECT_EQ(Tokenizer::parse(with_hole.to_json(), "again").hash(), with_hole.hash());
}

// Defect: a vocabulary that was trained without some bytes refused, or such a byte encoded as
// another token; the tokenizers package leaves it out.
TEST(TokenizerJson, LeavesOutBytesWithoutToken) {
  Json file = small_file();
  const Tokenizer whole = Tokenizer::parse(file.dump(), "x.json");
  const std::string bell = "\xC4\x87";  // of the byte 7 in the byte alphabet
  const int id = file["model"]["vocab"][bell];
  file["model"]["vocab"].erase(bell);
  file["model"]["vocab"]["other"] = id;
  const Tokenizer without = Tokenizer::parse(file.dump(), "x.json");
  std::vector<int32_t> ids;
  without.encode("\at\ahe\a", ids);
  std::vector<int32_t> expected;
  whole.encode("t", expected);  // as words of their own
  whole.encode("he", expected);
  EXPECT_EQ(ids, expected);
}

// Defect: malformed text that crashes, hangs or is taken for something else.
TEST(TokenizerJson, RefusesMalformedText) {
  const std::string good = small_file().dump();
  expect_part(refusal(""), "x.json: not JSON");
  expect_part(refusal(good.substr(0, good.size() / 2)), "x.json: not JSON");
  expect_part(refusal(good + "{}"), "x.json: not JSON");
  expect_part(refusal("[]"), "must be an object, is a list");
  expect_part(refusal(std::string(1 << 20, '[')), "nested deeper than 16 levels");
  expect_part(refusal(R"({"model":{"vocab":{"a":1,"a":2}}})"), "the key 'a' is there twice");
  expect_part(refusal(R"({"version":"1.0","version":"1.0"})"), "the key 'version' is there twice");
  expect_part(refusal("{\"\xC3(\":1}"), "x.json: not JSON");
  expect_part(refusal(R"({"\ud800":1})"), "x.json: not JSON");
  expect_part(refusal(R"({"version":1e999})"), "x.json: not JSON");
  expect_part(refusal("{\"a\n\x07" + std::string(5000, 'b') + "\":1}"), "x.json: not JSON");
  const std::string long_key = "a\n\x07" + std::string(5000, 'b');
  expect_part(refusal_after([&](Json& f) { f[long_key] = 1; }), "'a<0x0a><0x07>bbb");
}

// Defect: a crash on some file that is nearly right. Run with the sanitizers it also finds reads
// beyond what is there.
TEST(TokenizerJson, DamagedFilesNeverCrash) {
  const std::string good = small_file().dump();
  std::mt19937 random(5);
  int refused = 0;
  for (int round = 0; round < 1500; ++round) {
    std::string text = good;
    for (size_t changes = 1 + random() % 3; changes > 0; --changes) {
      const size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, 1 + random() % 20);
          break;
        default:
          text.insert(at, text.substr(random() % text.size(), 1 + random() % 20));
      }
    }
    refused += !refusal(text).empty();
  }
  EXPECT_GT(refused, 1000);
}

// Defect: a missing file reported as bad JSON, or a folder read as a file.
TEST(TokenizerJson, NamesTheMissingFile) {
  const TemporaryFolder files;
  const std::string folder = files.path().string() + "/";
  files.write("tokenizer.json", small_file().dump());
  EXPECT_NO_THROW((void)Tokenizer::load(folder));
  try {
    (void)Tokenizer::load(folder + "nothing.json");
    ADD_FAILURE() << "no error";
  } catch (const IoError& error) {
    expect_part(error.what(), "nothing.json");
  }
}

// Defect: bytes of a message cut inside a character, or control characters on the terminal.
TEST(StrictJson, TextInMessagesIsReadable) {
  EXPECT_EQ(show_text("a\x1b[1m\x7f"), "'a<0x1b>[1m<0x7f>'");
  EXPECT_EQ(show_text(std::string(39, 'a') + "\xC3\xA9"), "'" + std::string(39, 'a') + "...'");
  EXPECT_EQ(show_value(Json::object()), "an object");
}

}  // namespace
}  // namespace lmtrain
