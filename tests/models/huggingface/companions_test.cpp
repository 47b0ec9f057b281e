#include "models/huggingface/companions.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "tests/temporary_folder.h"

namespace lmtrain {
namespace {

using Ids = std::vector<int32_t>;

// Defect: a chat model that never stops, because only one end token is known, or the wrong one.
TEST(Companions, SeveralTokensMayEndAText) {
  EXPECT_EQ(end_tokens_of({}, 10), Ids());
  EXPECT_EQ(end_tokens_of({{"config.json", R"({"eos_token_id": 3})"}}, 10), Ids{3});
  const Companions both = {{"config.json", R"({"eos_token_id": 3})"},
                           {"generation_config.json", R"({"eos_token_id": [7, 5]})"}};
  EXPECT_EQ(end_tokens_of(both, 10), (Ids{7, 5}));
  EXPECT_EQ(end_tokens_of(both, 6), Ids{5}) << "7 is the id of a larger vocabulary";
  EXPECT_NE(message_of<DataError>([&] {
              end_tokens_of({{"config.json", R"({"eos_token_id": "x"})"}}, 6);
            }).find("eos_token_id"),
            std::string::npos);
  EXPECT_EQ(end_tokens_of({{"generation_config.json", R"({"eos_token_id": null})"}}, 10), Ids());
}

// Defect: a token named twice, or what the file says besides lost.
TEST(Companions, AFurtherTokenMayEndAText) {
  Companions companions = {{"config.json", R"({"eos_token_id": 5})"},
                           {"generation_config.json", R"({"do_sample": true})"}};
  add_end_token(companions, 9, 10);
  add_end_token(companions, 5, 10);
  EXPECT_EQ(end_tokens_of(companions, 10), (std::vector<int32_t>{5, 9}));
  EXPECT_EQ(sampling_defaults_of(companions).temperature, 1.0);
  Companions none;
  add_end_token(none, 3, 10);
  EXPECT_EQ(end_tokens_of(none, 10), (std::vector<int32_t>{3}));
}

// Defect: sampling other than the one that the model was made for.
TEST(Companions, TellHowToSample) {
  const auto of = [](const char* json) {
    return sampling_defaults_of({{"generation_config.json", json}});
  };
  EXPECT_EQ(of(R"({"do_sample": true, "temperature": 0.6, "top_p": 0.9})").temperature, 0.6);
  EXPECT_EQ(of(R"({"do_sample": true, "temperature": 0.6, "top_p": 0.9})").top_k, 50);
  EXPECT_EQ(of(R"({"do_sample": true, "temperature": 0.6, "top_p": 0.9})").top_p, 0.9);
  EXPECT_EQ(of(R"({"do_sample": false, "temperature": 0.6})").temperature, 0.0);
  EXPECT_FALSE(of("{}").temperature.has_value());
  EXPECT_THROW(of(R"({"temperature": NaN})"), DataError);
  EXPECT_THROW(of(R"({"top_p": 1.5})"), DataError);
}

// Defect: files of a model lost or changed on the way through lmtrain; a file written outside.
TEST(Companions, AreKeptWordForWord) {
  const TemporaryFolder from;
  from.write("config.json", R"({"eos_token_id": [1, 2], "bos_token_id": null})");
  from.write("chat_template.jinja", "{% for m in messages %}\n");
  from.write("1_Pooling/config.json", R"({"pooling_mode_mean_tokens":   true})");
  from.write("other.json", "{}");
  const Companions companions = read_companions(from.path());
  EXPECT_EQ(companions.size(), 3u);
  const TemporaryFolder to;
  write_companions(companions, to.path());
  EXPECT_EQ(read_companions(to.path()).at("1_Pooling/config.json"),
            companions.at("1_Pooling/config.json"));
  EXPECT_FALSE(std::filesystem::exists(to / "config.json")) << "the exported one is lmtrain's own";
  nlohmann::json config = {{"eos_token_id", 9}, {"bos_token_id", 9}, {"pad_token_id", 4}};
  keep_token_ids(companions, config);
  EXPECT_EQ(config.dump(), R"({"bos_token_id":null,"eos_token_id":[1,2],"pad_token_id":4})");
  EXPECT_THROW(check_companions({{"../x", ""}}), DataError);
  from.write("generation_config.json", "{");
  EXPECT_NE(message_of<DataError>([&] { read_companions(from.path()); }).find("generation_config"),
            std::string::npos);
}

}  // namespace
}  // namespace lmtrain
