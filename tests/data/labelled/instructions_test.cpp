#include "data/labelled/instructions.h"

#include <algorithm>
#include <numeric>
#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "data/labelled/encode_examples.h"
#include "data/labelled/labelled_loader.h"
#include "data/labelled/labelled_reader.h"
#include "data/labelled/packed_loader.h"
#include "data/labelled/prepare_labelled.h"
#include "data/tokenizer/byte_alphabet.h"
#include "tests/temporary_folder.h"

namespace lmtrain {
namespace {

constexpr int32_t kEnd = 257;  // of the tokenizer below, as the next
constexpr int32_t kTurn = 258;

// Byte-level: a token for each byte by its number, "bc" as 256, and two special tokens.
std::string byte_tokenizer() {
  nlohmann::ordered_json vocab;
  for (int byte = 0; byte < 256; ++byte)
    vocab[write_byte_alphabet(std::string(1, static_cast<char>(byte)))] = byte;
  vocab["bc"] = 256;
  const auto special = [](int id, const char* content) {
    return nlohmann::ordered_json{{"id", id},        {"content", content}, {"single_word", false},
                                  {"lstrip", false}, {"rstrip", false},    {"normalized", false},
                                  {"special", true}};
  };
  const nlohmann::ordered_json document = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", {special(kEnd, "<|endoftext|>"), special(kTurn, "<|turn|>")}},
      {"normalizer", nullptr},
      {"pre_tokenizer",
       {{"type", "ByteLevel"},
        {"add_prefix_space", false},
        {"trim_offsets", true},
        {"use_regex", true}}},
      {"post_processor", nullptr},
      {"decoder",
       {{"type", "ByteLevel"},
        {"add_prefix_space", true},
        {"trim_offsets", true},
        {"use_regex", true}}},
      {"model",
       {{"type", "BPE"},
        {"dropout", nullptr},
        {"unk_token", nullptr},
        {"continuing_subword_prefix", nullptr},
        {"end_of_word_suffix", nullptr},
        {"fuse_unk", false},
        {"byte_fallback", false},
        {"ignore_merges", false},
        {"vocab", vocab},
        {"merges", nlohmann::ordered_json::array({"b c"})}}}};
  return document.dump();
}

const char* const kTemplate =
    "{% for m in messages %}{{ m.role[0] }}:{{ m.content }}<|turn|>{% endfor %}"
    "{% if add_generation_prompt %}a:{% endif %}";

class Instructions : public testing::Test {
 protected:
  Instructions() : tokenizer_(Tokenizer::parse(byte_tokenizer(), "tokenizer.json")) {
    tokenizer_config_.path = folder_.write("tokenizer/tokenizer.json", byte_tokenizer());
    data_.cache = (folder_ / "cache").string();
    data_.sequence_length = 32;
    data_.validation_fraction = 0;
  }

  std::vector<LabelledText> read(const std::string& name, const std::string& content) const {
    std::vector<LabelledText> texts;
    read_labelled(folder_.write(name, content), TrainingTask::kInstructionTuning, data_.labelled,
                  [&](LabelledText&& text) { texts.push_back(std::move(text)); });
    return texts;
  }
  std::string refusal(const std::string& name, const std::string& content) const {
    return message_of<Error>([&] { read(name, content); });
  }
  Chat chat() const { return Chat(ChatTemplate(kTemplate, "x"), {{"eos_token", "<|endoftext|>"}}); }
  // The tokens of one text, and of them what is learned as text with its special tokens.
  EncodedExamples encoded(const LabelledText& text, int64_t max_tokens = 100,
                          LearnedPart learn = LearnedPart::kAnswers) const {
    const Chat chat = this->chat();
    EncodingRule rule;
    rule.task = TrainingTask::kInstructionTuning;
    rule.max_tokens = max_tokens;
    rule.learn = learn;
    rule.chat = &chat;
    Tokenizer::Encoder encoder(tokenizer_);
    return encode_examples(text, LabelNames(), tokenizer_, encoder, rule);
  }
  std::string learned(const Example& example) const {
    std::vector<int32_t> ids;
    for (size_t i = 0; i < example.ids.size(); ++i)
      if (example.labels[i] != 0) ids.push_back(example.ids[i]);
    return tokenizer_.decode(ids, true);
  }
  std::string learned_of_line(const std::string& line, int64_t max_tokens = 100) const {
    const EncodedExamples all = encoded(read("one.jsonl", line).at(0), max_tokens);
    return all.examples.empty() ? "nothing" : learned(all.examples[0]);
  }
  PreparedExamples prepare(const std::string& name, const std::string& content) {
    SourceConfig source;
    source.path = folder_.write(name, content);
    data_.sources = {source};
    return prepare_labelled(data_, tokenizer_config_, TrainingTask::kInstructionTuning, {},
                            [this](const Tokenizer&) { return chat(); }, {.num_threads = 2});
  }

  TemporaryFolder folder_;
  Tokenizer tokenizer_;
  TokenizerConfig tokenizer_config_;
  DataConfig data_;
};

// Defect: fields in the order of the columns and not of the format, braces that cannot be written,
// numbers refused.
TEST_F(Instructions, PromptsAreMadeOfFields) {
  data_.labelled.prompt = "Translate {{it}}: {en} =";
  data_.labelled.completion = " {de} ({n})";
  for (const auto& [name, content] :
       {std::pair{"a.csv", "n,de,en\n3,\"das, Haus\",the house\n"},
        std::pair{"a.tsv", "de\ten\tn\ndas, Haus\tthe house\t3\n"},
        std::pair{"a.jsonl", "{\"de\":\"das, Haus\",\"n\":3,\"en\":\"the house\"}\n"}}) {
    const auto texts = read(name, content);
    ASSERT_EQ(texts.size(), 1u) << name;
    EXPECT_EQ(texts[0].texts.text, "Translate {it}: the house =") << name;
    EXPECT_EQ(texts[0].texts.pair, " das, Haus (3)") << name;
  }
  EXPECT_NE(refusal("b.csv", "en,fr\nthe house,la maison\n").find("there is no column 'de'"),
            std::string::npos);
  EXPECT_NE(refusal("b.jsonl", "{\"en\":\"the house\"}\n").find("'messages'"), std::string::npos);
  data_.labelled.prompt = "a {b";
  EXPECT_NE(refusal("c.csv", "b\n1\n").find("data.labelled.prompt: byte 3"), std::string::npos);
}

// Defect: the names of another form of chat unknown; a chat without an answer, or with what lmtrain
// does not write, taken.
TEST_F(Instructions, ChatsAreListsOfMessages) {
  const auto texts = read(
      "a.jsonl",
      "{\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":"
      "\"a\"}]}\n"
      "{\"messages\":[{\"from\":\"human\",\"value\":\"q\"},{\"from\":\"gpt\",\"value\":\"a\"}]}\n"
      "{\"prompt\":[{\"role\":\"user\",\"content\":\"q\"}],\"completion\":[{\"role\":\"assistant\","
      "\"content\":\"a\"}]}\n");
  ASSERT_EQ(texts.size(), 3u);
  for (const LabelledText& text : texts) {
    ASSERT_EQ(text.messages.size(), 2u);
    EXPECT_EQ(text.messages[0].role + text.messages[0].content, "userq");
    EXPECT_EQ(text.messages[1].role + text.messages[1].content, "assistanta");
  }
  EXPECT_EQ(texts[1].num_asked, 0u);
  EXPECT_EQ(texts[2].num_asked, 1u);
  const std::string user = "{\"role\":\"user\",\"content\":\"q\"}";
  for (const auto& [line, problem] :
       {std::pair{"{\"messages\":[" + user + "]}", "no message has the role assistant"},
        std::pair{"{\"messages\":" + user + "}", "expected a list of messages"},
        std::pair{"{\"messages\":[" + user + ",{\"role\":\"assistant\",\"content\":null}]}",
                  "messages[1]"},
        std::pair{"{\"messages\":[" + user +
                      ",{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{}]}]}",
                  "tools"},
        std::pair{std::string("{\"prompt\":\"q\",\"completion\":\" \"}"), "completion is empty"},
        std::pair{std::string("{\"text\":\"q\"}"), "is missing"}}) {
    const std::string message = refusal("b.jsonl", "\n" + line + "\n");
    EXPECT_NE(message.find("b.jsonl:2"), std::string::npos) << message;
    EXPECT_NE(message.find(problem), std::string::npos) << message;
  }
}

// Defect: the end of a turn not learned, what the user says learned.
TEST_F(Instructions, OfAChatTheAnswersAreLearned) {
  const std::string chat =
      "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"assistant\",\"content\":"
      "\"yes\"},{\"role\":\"user\",\"content\":\"so\"},{\"role\":\"assistant\",\"content\":\"no\"}]}";
  EXPECT_EQ(learned_of_line(chat), "yes<|turn|>no<|turn|>");
  const Example example = encoded(read("a.jsonl", chat)[0]).examples.at(0);
  EXPECT_EQ(tokenizer_.decode(example.ids, true),
            "u:hi<|turn|>a:yes<|turn|>u:so<|turn|>a:no<|turn|>");
  EXPECT_EQ(std::ranges::count(example.ids, kTurn), 4);
  const Example all = encoded(read("a.jsonl", chat)[0], 100, LearnedPart::kAll).examples.at(0);
  EXPECT_EQ(std::ranges::count(all.labels, 1), std::ssize(all.ids));
}

// Defect: a completion that does not end, or ends twice; a token that begins in the prompt not
// learned.
TEST_F(Instructions, OfAPromptTheCompletionIsLearned) {
  EXPECT_EQ(learned_of_line("{\"prompt\":\"ab\",\"completion\":\" d\"}"), " d<|endoftext|>");
  EXPECT_EQ(learned_of_line("{\"prompt\":\"ab\",\"completion\":\"d<|endoftext|>\"}"),
            "d<|endoftext|>");
  EXPECT_EQ(learned_of_line("{\"prompt\":\"ab\",\"completion\":\"cd\"}"), "bcd<|endoftext|>");
  const Example example =
      encoded(read("a.jsonl", "{\"prompt\":\"ab\",\"completion\":\"cd\"}")[0]).examples.at(0);
  EXPECT_EQ(example.ids, (std::vector<int32_t>{'a', 256, 'd', kEnd}));
  EXPECT_EQ(example.labels, (std::vector<int32_t>{0, 1, 1, 1}));
}

// Defect: a text whose answer was cut off kept, as a sample that teaches nothing.
TEST_F(Instructions, WhatHasNoAnswerWithinItsTokensIsLeftOut) {
  const std::string line = "{\"prompt\":\"abcdefgh\",\"completion\":\"ijkl\"}";
  EXPECT_EQ(learned_of_line(line, 9), "ij");
  EXPECT_EQ(learned_of_line(line, 7), "nothing");
  const EncodedExamples none = encoded(read("a.jsonl", line)[0], 7);
  EXPECT_EQ(none.num_without_label, 1);
  data_.sequence_length = 7;
  const std::string message = message_of<DataError>([&] { prepare("b.jsonl", line); });
  EXPECT_NE(message.find("data.sequence_length = 7"), std::string::npos) << message;
}

// Defect: an example lost, taken twice, or in a sequence without room; room left that a later
// example fits.
TEST(Packing, TheLongestComeFirstIntoTheFullestSequence) {
  EXPECT_EQ(packed({5, 2, 3, 1}, 6), (std::vector<std::vector<int64_t>>{{0, 3}, {2, 1}}));
  std::vector<int64_t> lengths(200);
  uint64_t state = 7;
  for (int64_t& length : lengths) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    length = static_cast<int64_t>(1 + (state >> 33U) % 32);
  }
  const auto packs = packed(lengths, 64);
  std::vector<int64_t> seen;
  for (const auto& pack : packs) {
    int64_t sum = 0;
    for (const int64_t example : pack) sum += lengths[static_cast<size_t>(example)];
    EXPECT_LE(sum, 64);
    seen.insert(seen.end(), pack.begin(), pack.end());
  }
  std::ranges::sort(seen);
  std::vector<int64_t> all(lengths.size());
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(seen, all);
  const int64_t tokens = std::accumulate(lengths.begin(), lengths.end(), int64_t{0});
  EXPECT_LE(std::ssize(packs), tokens / 64 + 3);
}

// Defect: a label across the end of a document, a learned token without weight, padding that sees
// tokens.
TEST_F(Instructions, ASequenceHoldsSeveralDocuments) {
  data_.sequence_length = 10;
  const PreparedExamples data = prepare("a.jsonl",
                                        "{\"prompt\":\"xy\",\"completion\":\"z\"}\n"
                                        "{\"prompt\":\"p\",\"completion\":\"qrs\"}\n");
  const PackedLoader loader(data.train, 10, kEnd, SampleOrder::kAsInFile, 1);
  ASSERT_EQ(loader.num_samples(), 1);
  const int64_t first = 0;
  const Batch batch = loader.load(std::span<const int64_t>(&first, 1));
  EXPECT_EQ(batch.ids, (std::vector<int64_t>{'p', 'q', 'r', 's', kEnd, 'x', 'y', 'z', kEnd, kEnd}));
  EXPECT_EQ(batch.weights, (std::vector<float>{1, 1, 1, 1, 0, 0, 1, 1, 0, 0}));
  EXPECT_EQ(batch.document_ids, (std::vector<int32_t>{0, 0, 0, 0, 0, 1, 1, 1, 1, 2}));
  EXPECT_EQ(batch.padding_mask, (std::vector<uint8_t>{1, 1, 1, 1, 1, 1, 1, 1, 1, 0}));
  const std::vector<int64_t> learned = {'q', 'r', 's', kEnd, 0, 0, 'z', kEnd, 0, 0};
  for (size_t i = 0; i < learned.size(); ++i) {
    if (batch.weights[i] > 0) {
      EXPECT_EQ(batch.labels[i], learned[i]) << i;
    }
  }

  LabelledRule rule;
  rule.task = TrainingTask::kInstructionTuning;
  rule.sequence_length = 10;
  rule.pad = kEnd;
  rule.width_multiple = 4;
  const LabelledLoader single(data.train, rule, SampleOrder::kAsInFile, 1);
  const Batch alone = single.load(std::span<const int64_t>(&first, 1));
  EXPECT_EQ(alone.ids, (std::vector<int64_t>{'x', 'y', 'z', kEnd}));
  EXPECT_EQ(alone.weights, (std::vector<float>{0, 1, 1, 0}));
}

// Defect: examples of another template, format or part taken from the cache.
TEST_F(Instructions, EveryChangeOfWhatIsLearnedMakesOtherExamples) {
  const std::string line = "{\"prompt\":\"xy\",\"completion\":\"z\",\"other\":\"w\"}\n";
  std::set<uint64_t> keys = {prepare("a.jsonl", line).keys.key};
  EXPECT_TRUE(prepare("a.jsonl", line).was_in_cache);
  data_.labelled.learn = LearnedPart::kAll;
  keys.insert(prepare("a.jsonl", line).keys.key);
  data_.labelled.completion = "{other}";
  keys.insert(prepare("a.jsonl", line).keys.key);
  data_.labelled.prompt = "";
  keys.insert(prepare("a.jsonl", line).keys.key);
  EXPECT_EQ(keys.size(), 4u);
}

}  // namespace
}  // namespace lmtrain
