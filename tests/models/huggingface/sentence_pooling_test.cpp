#include "models/huggingface/sentence_pooling.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/text.h"
#include "tests/temporary_folder.h"

namespace lmtrain {
namespace {

constexpr const char* kTransformer =
    R"({"idx":0,"path":"","type":"sentence_transformers.models.Transformer"})";
constexpr const char* kPoolingEntry =
    R"({"idx":1,"path":"1_Pooling","type":"sentence_transformers.models.Pooling"})";
constexpr const char* kNormalize =
    R"({"idx":2,"path":"2_Normalize","type":"sentence_transformers.models.Normalize"})";

Companions folder(const std::string& modules, const std::string& pooling) {
  return {{"modules.json", "[" + modules + "]"}, {"1_Pooling/config.json", pooling}};
}

std::string both() { return cat(kTransformer, ",", kPoolingEntry); }

// Defect: a kind of pooling that is mistaken for another one, in either of the package's two forms.
TEST(SentencePooling, ReadsBothForms) {
  const auto older =
      sentence_pooling_of(folder(both() + "," + kNormalize,
                                 R"({"word_embedding_dimension":8,"pooling_mode_cls_token":false,
                 "pooling_mode_mean_tokens":true,"pooling_mode_lasttoken":false})"));
  ASSERT_TRUE(older);
  EXPECT_EQ(older->poolings, std::vector{Pooling::kMean});
  EXPECT_TRUE(older->normalises);
  const auto several = sentence_pooling_of(
      folder(both(), R"({"pooling_mode_mean_sqrt_len_tokens":true,"pooling_mode_cls_token":true,
                         "pooling_mode_weightedmean_tokens":true,"pooling_mode_lasttoken":true,
                         "pooling_mode_max_tokens":true})"));
  EXPECT_EQ(several->poolings,
            (std::vector{Pooling::kFirst, Pooling::kMax, Pooling::kMeanBySquareRoot,
                         Pooling::kWeightedMean, Pooling::kLast}));
  EXPECT_FALSE(several->normalises);
  const auto newer = sentence_pooling_of(
      folder(both(), R"({"embedding_dimension":8,"pooling_mode":"lasttoken"})"));
  EXPECT_EQ(newer->poolings, std::vector{Pooling::kLast});
}

// Defect: a limit or a prompt of the folder that is not heeded.
TEST(SentencePooling, ReadsLengthAndPrompt) {
  Companions files = folder(both(), R"({"pooling_mode":["mean","cls"]})");
  files["sentence_bert_config.json"] = R"({"max_seq_length": 128, "do_lower_case": false})";
  files["config_sentence_transformers.json"] =
      R"({"prompts": {"query": "query: "}, "default_prompt_name": "query"})";
  const auto pooling = sentence_pooling_of(files);
  EXPECT_EQ(pooling->max_tokens, 128);
  EXPECT_EQ(pooling->prompt, "query: ");
  EXPECT_EQ(pooling->poolings, (std::vector{Pooling::kMean, Pooling::kFirst}));  // in their order
  files.erase("sentence_bert_config.json");
  files["tokenizer_config.json"] = R"({"model_max_length": 64})";
  EXPECT_EQ(sentence_pooling_of(files)->max_tokens, 64);
  files["tokenizer_config.json"] = R"({"model_max_length": 1000000000000000019884624838656})";
  EXPECT_EQ(sentence_pooling_of(files)->max_tokens, std::nullopt);
}

// Defect: vectors without a module that the package would apply.
TEST(SentencePooling, RefusesWhatItDoesNotHave) {
  const auto refusal = [](const Companions& files) {
    return message_of<DataError>([&] { sentence_pooling_of(files); });
  };
  const std::string mean = R"({"pooling_mode":"mean"})";
  EXPECT_NE(refusal(folder(both() + R"(,{"type":"sentence_transformers.models.Dense"})", mean))
                .find("'Dense'"),
            std::string::npos);
  EXPECT_NE(refusal(folder(both(), R"({"pooling_mode":"attention"})")).find("attention"),
            std::string::npos);
  Companions prompted = folder(both(), R"({"pooling_mode":"mean","include_prompt":false})");
  EXPECT_TRUE(sentence_pooling_of(prompted));
  prompted["config_sentence_transformers.json"] =
      R"({"prompts": {"query": "query: "}, "default_prompt_name": "query"})";
  EXPECT_NE(refusal(prompted).find("include_prompt"), std::string::npos);
  EXPECT_NE(refusal(folder(kTransformer, mean)).find("no Pooling"), std::string::npos);
  EXPECT_EQ(sentence_pooling_of({}), std::nullopt);
}

}  // namespace
}  // namespace lmtrain
