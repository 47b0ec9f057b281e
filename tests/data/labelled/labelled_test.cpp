#include <algorithm>
#include <numeric>
#include <set>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/text.h"
#include "data/labelled/encode_examples.h"
#include "data/labelled/labelled_loader.h"
#include "data/labelled/labelled_reader.h"
#include "data/labelled/prepare_labelled.h"
#include "tests/temporary_folder.h"

namespace lmtrain {
namespace {

using Texts = std::vector<LabelledText>;

class Labelled : public testing::Test {
 protected:
  Labelled() {
    folder_.write(
        "bert/vocab.txt",
        "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncat\ndog\nsat\nran\n##ning\nwho\n?\n.\n");
    tokenizer_config_.path = (folder_ / "bert").string();
    data_.cache = (folder_ / "cache").string();
    data_.sequence_length = 12;
  }

  Texts read(const std::string& file, TrainingTask task) const {
    Texts texts;
    read_labelled(file, task, data_.labelled,
                  [&](LabelledText&& text) { texts.push_back(std::move(text)); });
    return texts;
  }
  std::string refusal(const std::string& file, TrainingTask task) const {
    return message_of<DataError>([&] { read(file, task); });
  }
  PreparedExamples prepare(TrainingTask task, const std::vector<std::string>& labels = {}) const {
    return prepare_labelled(data_, tokenizer_config_, task, labels,
                            [](const Tokenizer&) { return Chat(std::nullopt, {}); },
                            {.num_threads = 2});
  }

  TemporaryFolder folder_;
  TokenizerConfig tokenizer_config_;
  DataConfig data_;
};

// Defect: columns taken by their place, quotes or line ends kept, numbers of labels refused.
TEST_F(Labelled, TextsComeFromTablesAndObjectsByName) {
  data_.labelled.label = "stars";
  for (
      const auto& [name, content] :
      {std::pair{"a.csv", "stars,text\n5,\"the cat, \"\"sat\"\"\"\r\n1,ran\r\n"},
       std::pair{"a.tsv", "text\tstars\n\"the cat, \"\"sat\"\"\"\t5\nran\t1\n"},
       std::pair{
           "a.jsonl",
           "{\"text\":\"the cat, \\\"sat\\\"\",\"stars\":5}\n\n{\"text\":\"ran\",\"stars\":\"1\"}"}}) {
    const Texts texts = read(folder_.write(name, content), TrainingTask::kClassification);
    ASSERT_EQ(texts.size(), 2u) << name;
    EXPECT_EQ(texts[0].texts.text, "the cat, \"sat\"") << name;
    EXPECT_EQ(texts[0].label, "5") << name;
    EXPECT_EQ(texts[1].texts.text, "ran") << name;
  }
}

// Defect: GLUE's quotes read as a table's, its unlabelled lines trained on, its short lines fatal.
TEST_F(Labelled, CollectionsAreReadAsTheyArePublished) {
  data_.labelled.layout = LabelledLayout::kMrpc;
  Texts texts = read(folder_.write("mrpc.tsv",
                                   "\xEF\xBB\xBFQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
                                   "1\t7\t8\tA \"cat sat\tThe dog ran\nshort\n"),
                     TrainingTask::kClassification);
  ASSERT_EQ(texts.size(), 1u);
  EXPECT_EQ(texts[0].texts.text, "A \"cat sat");
  EXPECT_EQ(texts[0].texts.pair, "The dog ran");
  EXPECT_EQ(texts[0].label, "1");

  data_.labelled.layout = LabelledLayout::kCola;
  texts = read(folder_.write("cola.tsv", "gj04\t1\t\tThe cat sat.\ngj04\t0\t*\tSat cat the.\n"),
               TrainingTask::kClassification);
  ASSERT_EQ(texts.size(), 2u);
  EXPECT_EQ(texts[1].texts.text, "Sat cat the.");
  EXPECT_EQ(texts[1].label, "0");

  data_.labelled.layout = LabelledLayout::kOcnli;
  texts = read(folder_.write("ocnli.json",
                             "{\"sentence1\":\"a\",\"sentence2\":\"b\",\"label\":\"-\"}\n"
                             "{\"sentence1\":\"c\",\"sentence2\":\"d\",\"label\":\"neutral\"}\n"),
               TrainingTask::kClassification);
  ASSERT_EQ(texts.size(), 1u);
  EXPECT_EQ(texts[0].label, "neutral");

  data_.labelled.layout = LabelledLayout::kCsl;
  texts =
      read(folder_.write("csl.json", "{\"abst\":\"d\",\"keyword\":[\"a\",\"b\"],\"label\":\"1\"}"),
           TrainingTask::kClassification);
  EXPECT_EQ(texts[0].texts.text, "a b");

  data_.labelled.layout = LabelledLayout::kConll;
  texts = read(folder_.write("ner.txt",
                             "-DOCSTART- -X- O O\n\nEU NNP I-NP B-ORG\nran VBD I-VP O\n\n\n"
                             "the DT I-NP O\n"),
               TrainingTask::kTagging);
  ASSERT_EQ(texts.size(), 2u);
  EXPECT_EQ(texts[0].words, (std::vector<std::string>{"EU", "ran"}));
  EXPECT_EQ(texts[0].tags, (std::vector<std::string>{"B-ORG", "O"}));
}

// Defect: starts counted in bytes where a passage is not ASCII, or impossible questions refused.
TEST_F(Labelled, AnswersStandWhereTheirCharactersSay) {
  data_.labelled.layout = LabelledLayout::kSquad;
  const Texts texts = read(
      folder_.write(
          "squad.json",
          R"({"version":"v2","data":[{"title":"t","paragraphs":[{"context":"é the cat sat.","qas":[
      {"id":"1","question":"who?","answers":[{"text":"the cat","answer_start":2}]},
      {"id":"2","question":"why?","is_impossible":true,"answers":[]}]}]}]})"),
      TrainingTask::kQuestionAnswering);
  ASSERT_EQ(texts.size(), 2u);
  EXPECT_EQ(texts[0].answers.front().begin, 3);
  EXPECT_TRUE(texts[1].answers.empty());
  data_.labelled.layout = LabelledLayout::kFields;
  EXPECT_EQ(
      read(
          folder_.write(
              "a.jsonl",
              R"({"question":"q","context":"é cat","answers":{"text":["cat"],"answer_start":[2]}})"),
          TrainingTask::kQuestionAnswering)[0]
          .answers[0]
          .begin,
      3);
  EXPECT_NE(
      refusal(
          folder_.write(
              "b.jsonl",
              R"({"question":"q","context":"é cat","answers":{"text":["cat"],"answer_start":[3]}})"),
          TrainingTask::kQuestionAnswering)
          .find("b.jsonl:1"),
      std::string::npos);
}

// Defect: bad rows trained on, or refused without saying where.
TEST_F(Labelled, BadRowsAreNamed) {
  const auto expect = [&](const std::string& name, const std::string& content, TrainingTask task,
                          const std::string& part) {
    const std::string message = refusal(folder_.write(name, content), task);
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  expect("a.csv", "text,lable\na,1\n", TrainingTask::kClassification,
         "a.csv:1: there is no column 'label'");
  expect("b.csv", "text,label\na,\n", TrainingTask::kClassification, "b.csv:2: the label is empty");
  expect("c.csv", "text,label\na,many\n", TrainingTask::kRegression, "is not a number");
  expect("d.csv", "text,label\na,inf\n", TrainingTask::kRegression, "is not a number");
  expect("e.jsonl", "{\"tokens\":[\"a\",\"b\"],\"tags\":[\"O\"]}", TrainingTask::kTagging,
         "e.jsonl:1: 2 words, but 1 tag");
  expect("f.jsonl", "{\"text\":\"a\",\"label\":{}}", TrainingTask::kClassification,
         "expected a text or a number");
  expect("g.csv", "text,label\n\xff,1\n", TrainingTask::kClassification, "not UTF-8");
  expect("h.xlsx", "", TrainingTask::kClassification, ".csv, .tsv and .jsonl");
}

// Defect: special tokens, pairs or types missing, or a long text cut at the wrong end.
TEST_F(Labelled, TextsAreEncodedWithTheirLabels) {
  folder_.write("a.jsonl",
                "{\"text\":\"the cat sat\",\"pair\":\"ranning\",\"label\":\"yes\"}\n"
                "{\"text\":\"dog dog dog dog dog dog dog\",\"pair\":\"cat cat cat cat cat\","
                "\"label\":\"no\"}\n");
  data_.sources = {{.path = (folder_ / "a.jsonl").string()}};
  data_.labelled.pair = "pair";
  data_.validation_fraction = 0;
  const PreparedExamples prepared = prepare(TrainingTask::kClassification);
  EXPECT_EQ(prepared.labels, (std::vector<std::string>{"no", "yes"}));
  const Example first = prepared.train.at(0);
  EXPECT_EQ(first.ids, (std::vector<int32_t>{2, 5, 6, 8, 3, 9, 10, 3}));
  EXPECT_EQ(first.type_ids, (std::vector<int32_t>{0, 0, 0, 0, 0, 1, 1, 1}));
  EXPECT_EQ(first.labels, std::vector<int32_t>{1});
  // 12 tokens hold nine of the texts, of which the longer one keeps one more.
  EXPECT_EQ(prepared.train.at(1).ids, (std::vector<int32_t>{2, 7, 7, 7, 7, 7, 3, 6, 6, 6, 6, 3}));
  EXPECT_FALSE(prepared.was_in_cache);
  EXPECT_TRUE(prepare(TrainingTask::kClassification).was_in_cache);
  EXPECT_NE(message_of<DataError>([&] {
              prepare(TrainingTask::kClassification, {"No", "yes"});
            }).find("a.jsonl:2: the label 'no' is not one of 'No', 'yes' (model.labels"),
            std::string::npos);
}

// Defect: the tag of a word on all of its tokens, or on the wrong one behind the special token.
TEST_F(Labelled, TheFirstTokenOfAWordHasItsTag) {
  folder_.write("a.jsonl", "{\"tokens\":[\"ranning\",\"cat\"],\"tags\":[\"B\",\"O\"]}");
  data_.sources = {{.path = (folder_ / "a.jsonl").string()}};
  data_.validation_fraction = 0;
  const PreparedExamples prepared = prepare(TrainingTask::kTagging);
  const Example one = prepared.train.at(0);
  EXPECT_EQ(one.ids, (std::vector<int32_t>{2, 9, 10, 6, 3}));
  EXPECT_EQ(one.labels, (std::vector<int32_t>{-1, 0, -1, 1, -1}));
}

// Defect: words of a long sentence that are never learned, or are not measured.
TEST_F(Labelled, LongSentencesAreReadInParts) {
  std::string words = "\"ranning\"";
  std::string tags = "\"B\"";
  for (int i = 0; i < 11; ++i) {
    words += ",\"cat\"";
    tags += ",\"O\"";
  }
  folder_.write("a.jsonl", "{\"tokens\":[" + words + "],\"tags\":[" + tags + "]}");
  data_.sources = {{.path = (folder_ / "a.jsonl").string()}};
  data_.validation_fraction = 0;
  const PreparedExamples prepared = prepare(TrainingTask::kTagging);
  ASSERT_EQ(prepared.train.size(), 2);
  int64_t labels = 0;
  for (int64_t i = 0; i < 2; ++i) {
    const Example part = prepared.train.at(i);
    EXPECT_LE(part.ids.size(), 12u);
    EXPECT_EQ(part.text, 0);
    labels += std::ranges::count_if(part.labels, [](int32_t label) { return label >= 0; });
  }
  EXPECT_EQ(labels, 12);
}

// Defect: words that only Unicode's spaces part, marks, or a piece that is unknown, shift the
// places of the tokens behind them.
TEST_F(Labelled, TokensStandAtTheirBytes) {
  const Tokenizer tokenizer = Tokenizer::load(folder_ / "bert");
  Tokenizer::Encoder encoder(tokenizer);
  const auto parts_of = [&](const std::string& text) {
    std::string parts;
    const TextTokens tokens = tokens_with_bytes(text, tokenizer, encoder);
    for (const auto& [begin, end] : tokens.bytes)
      parts += text.substr(static_cast<size_t>(begin), static_cast<size_t>(end - begin)) + "|";
    return parts;
  };
  EXPECT_EQ(parts_of("The cat, ranning."), "The|cat|,|ran|ning|.|");
  EXPECT_EQ(parts_of("the\u00a0cat\u3000sat"), "the|cat|sat|");
  EXPECT_EQ(parts_of("xyzzy?cat"), "xyzzy|?|cat|");
  EXPECT_EQ(parts_of("ca\u0301t dog"), "ca\u0301t|dog|");
}

// Defect: equal texts in both parts, or labels that only the held-out share has, are refused.
TEST_F(Labelled, EqualTextsStayTogether) {
  std::string table = "text,label\n";
  for (int i = 0; i < 40; ++i) {
    for (const int bit : {1, 2, 4, 8}) table += (i / 4 & bit) != 0 ? "cat " : "dog ";
    table += i % 4 == 0 ? "sat,b\n" : "sat,a\n";
  }
  folder_.write("a.csv", table);
  data_.sources = {{.path = (folder_ / "a.csv").string()}};
  data_.validation_fraction = 0.2;
  const PreparedExamples prepared = prepare(TrainingTask::kClassification);
  const auto texts_of = [](const ExampleFile& file, int32_t label) {
    std::set<std::vector<int32_t>> texts;
    for (int64_t i = 0; i < file.size(); ++i)
      if (file.at(i).labels[0] == label) texts.insert(file.at(i).ids);
    return texts;
  };
  for (const int32_t label : {0, 1}) {
    for (const auto& ids : texts_of(*prepared.validation, label))
      EXPECT_FALSE(texts_of(prepared.train, label).contains(ids));
  }
}

// Defect: windows that lose tokens of a passage, answers at the wrong tokens or in windows that cut
// them.
TEST_F(Labelled, PassagesAreReadInWindows) {
  folder_.write("a.jsonl",
                "{\"question\":\"who ?\",\"context\":\"the dog ran. the  cat sat. the dog sat\","
                "\"answers\":[\"cat sat\"]}");
  data_.sources = {{.path = (folder_ / "a.jsonl").string()}};
  data_.validation_fraction = 0;
  data_.labelled.stride = 3;
  const PreparedExamples prepared = prepare(TrainingTask::kQuestionAnswering);
  // The passage has 11 tokens, and a window room for 7 of them.
  ASSERT_EQ(prepared.train.size(), 2);
  const Example first = prepared.train.at(0);
  EXPECT_EQ(first.ids, (std::vector<int32_t>{2, 11, 12, 3, 5, 7, 9, 13, 5, 6, 8, 3}));
  EXPECT_EQ(first.passage_begin, 4);
  EXPECT_EQ(first.labels, (std::vector<int32_t>{9, 10}));
  EXPECT_EQ(first.bytes[10], 18);  // "cat"
  EXPECT_EQ(first.bytes[11], 21);
  const Example second = prepared.train.at(1);
  EXPECT_EQ(second.ids, (std::vector<int32_t>{2, 11, 12, 3, 5, 6, 8, 13, 5, 7, 8, 3}));
  EXPECT_EQ(second.labels, (std::vector<int32_t>{5, 6}));
}

// Defect: a label without validation, or texts of one that are in both parts.
TEST_F(Labelled, TheHeldOutShareHasEachLabel) {
  std::string table = "text,label\n";
  for (int i = 0; i < 90; ++i) table += cat("cat ", i, i < 60 ? ",often\n" : ",rare\n");
  folder_.write("a.csv", table);
  data_.sources = {{.path = (folder_ / "a.csv").string()}};
  data_.validation_fraction = 0.1;
  const PreparedExamples prepared = prepare(TrainingTask::kClassification);
  EXPECT_EQ(prepared.train.size(), 81);
  ASSERT_EQ(prepared.validation->size(), 9);
  int rare = 0;
  for (int64_t i = 0; i < 9; ++i) rare += prepared.validation->at(i).labels[0];
  EXPECT_EQ(rare, 3);
  const std::vector<double> weights = balanced_weights(prepared.train, 2);
  EXPECT_DOUBLE_EQ(weights[0], 81.0 / (2 * 54));
  EXPECT_DOUBLE_EQ(weights[1], 81.0 / (2 * 27));
}

// Defect: a batch padded to the longest of all, samples lost or doubled in an epoch, or an order
// that depends on who asks.
TEST_F(Labelled, BatchesHoldTextsOfOneLength) {
  std::string table = "text,label\n";
  for (int i = 0; i < 400; ++i) {
    std::string text = "the";
    for (int k = 0; k < (i * 7) % 9; ++k) text += " cat";
    table += text + (i % 2 == 0 ? ",a\n" : ",b\n");
  }
  folder_.write("a.csv", table);
  data_.sources = {{.path = (folder_ / "a.csv").string()}};
  data_.validation_fraction = 0;
  const PreparedExamples prepared = prepare(TrainingTask::kClassification);
  const LabelledRule rule = {.sequence_length = 12, .num_segments = 2, .group = 8};
  const LabelledLoader loader(prepared.train, rule, SampleOrder::kPermutedEachEpoch, 5);
  for (int64_t epoch = 0; epoch < 2; ++epoch) {
    std::set<int64_t> seen;
    int64_t cells = 0;
    int64_t tokens = 0;
    for (int64_t at = 0; at < 400; at += 8) {
      std::vector<int64_t> indices(8);
      std::iota(indices.begin(), indices.end(), epoch * 400 + at);
      const Batch batch = loader.load(indices);
      cells += std::ssize(batch.ids);
      tokens += std::ranges::count(batch.padding_mask, 1);
      seen.insert(batch.sample_places.begin(), batch.sample_places.end());
    }
    EXPECT_EQ(seen.size(), 400u);
    EXPECT_LT(static_cast<double>(cells), 1.02 * static_cast<double>(tokens));
  }
  const LabelledLoader again(prepared.train, rule, SampleOrder::kPermutedEachEpoch, 5);
  const int64_t late[] = {777, 3};
  EXPECT_EQ(again.load(late).ids, loader.load(late).ids);
  const LabelledLoader other(prepared.train, rule, SampleOrder::kPermutedEachEpoch, 6);
  EXPECT_NE(order_by_length({1, 2, 3, 4, 5, 6, 7, 8}, 2, 1, 0),
            order_by_length({1, 2, 3, 4, 5, 6, 7, 8}, 2, 1, 1));
}

// Defect: a damaged file trained on.
TEST_F(Labelled, DamagedExamplesAreMadeAgain) {
  folder_.write("a.csv", "text,label\ncat,a\ndog,b\n");
  data_.sources = {{.path = (folder_ / "a.csv").string()}};
  data_.validation_fraction = 0;
  prepare(TrainingTask::kClassification);
  std::filesystem::path file;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ / "cache"))
    if (entry.path().extension() == ".examples") file = entry.path();
  std::string content = read_file(file);
  for (const size_t at : {size_t{3}, size_t{20}, content.size() - 1}) {
    std::string damaged = content;
    damaged[at] ^= 1;
    std::ofstream(file, std::ios::binary) << damaged;
    EXPECT_FALSE(prepare(TrainingTask::kClassification).was_in_cache) << at;
  }
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ / "cache"))
    if (entry.path().filename() == "labels.json") std::ofstream(entry.path()) << "[\"b\",\"a\"]";
  EXPECT_FALSE(prepare(TrainingTask::kClassification).was_in_cache) << "labels in another order";
  std::ofstream(file, std::ios::binary) << content.substr(0, content.size() - 8);
  EXPECT_FALSE(prepare(TrainingTask::kClassification).was_in_cache);
}

}  // namespace
}  // namespace lmtrain
