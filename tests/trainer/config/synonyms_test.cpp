#include "trainer/config/synonyms.h"

#include <set>

#include <gtest/gtest.h>

#include "base/error.h"
#include "trainer/config/load_config.h"

namespace lmtrain {
namespace {

void collect_keys(const Fields& fields, const std::string& prefix, std::set<std::string>& keys) {
  for (const Field& field : fields.all()) {
    keys.insert(prefix + field.key);
    if (const auto* section = std::get_if<SectionField>(&field.kind))
      collect_keys(*section->fields, prefix + field.key + ".", keys);
  }
}

std::set<std::string> all_keys() {
  Config config;
  Fields fields;
  config.describe(fields);
  std::set<std::string> keys;
  collect_keys(fields, "", keys);
  return keys;
}

std::string error_of(const std::vector<std::string>& settings) {
  try {
    load_config("", settings);
    return "";
  } catch (const ConfigError& error) {
    return error.what();
  }
}

// Defect: a key is renamed or removed and the suggestion still names the old one.
TEST(ConfigSynonyms, NameKeysThatExist) {
  const std::set<std::string> keys = all_keys();
  for (const Synonyms& row : config_synonyms()) {
    ASSERT_FALSE(row.words.empty());
    EXPECT_FALSE(row.names.empty() && row.remark.empty()) << row.words[0];
    for (const std::string& name : row.names) EXPECT_TRUE(keys.contains(name)) << name;
  }
}

// Defect: a word in two rows, of which the second is never found, or written so that none is.
TEST(ConfigSynonyms, HoldEachWordOnce) {
  std::set<std::string> words;
  for (const Synonyms& row : config_synonyms()) {
    for (const std::string& word : row.words) {
      EXPECT_TRUE(words.insert(word).second) << word;
      EXPECT_EQ(find_synonyms(config_synonyms(), word), &row) << word;
      EXPECT_FALSE(all_keys().contains(word)) << word << " is a key itself";
    }
  }
}

// Defect: a common word of other trainers is answered with another key or with none.
TEST(ConfigSynonyms, LeadCommonWordsToTheRightKey) {
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"learning_rate", "'optimizer.lr'"},
      {"lr", "'optimizer.lr'"},
      {"optimizer.learning_rate", "'optimizer.lr'"},
      {"train.learning_rate", "'optimizer.lr'"},
      {"training.learning_rate", "'optimizer.lr'"},
      {"batch_size", "'train.global_batch_size' or 'train.micro_batch_size'"},
      {"train.batch_size", "'train.global_batch_size' or 'train.micro_batch_size'"},
      {"per_device_train_batch_size", "'train.micro_batch_size'"},
      {"gradient_accumulation_steps", "'train.global_batch_size' or 'train.micro_batch_size'"},
      {"max_steps", "'train.steps'"},
      {"training.max_steps", "'train.steps'"},
      {"num_epochs", "'train.steps'"},
      {"seq_len", "'data.sequence_length'"},
      {"block_size", "'data.sequence_length'"},
      {"n_layer", "'model.num_layers'"},
      {"model.n_layer", "'model.num_layers'"},
      {"n_head", "'model.num_heads'"},
      {"n_embd", "'model.hidden_size'"},
      {"d_model", "'model.hidden_size'"},
      {"warmup", "'schedule.warmup_steps'"},
      {"optimizer.warmup_steps", "'schedule.warmup_steps'"},
      {"weight_decay", "'optimizer.weight_decay'"},
      {"grad_clip", "'train.clip_grad_norm'"},
      {"seed", "'run.seed'"},
      {"output_dir", "'run.dir'"},
      {"fp16", "'train.precision'"},
      {"bf16", "'train.precision'"},
      {"dtype", "'train.precision'"},
      {"optimizer.name", "'optimizer.kind'"},
      {"scheduler.type", "'schedule.kind'"},
      {"eval.steps", "'eval.interval'"},
      {"steps", "'train.steps'"},
      {"gradient_checkpointing", "'parallel.recompute'"},
  };
  for (const auto& [word, key] : expected) {
    const std::string error = error_of({word + "=1"});
    EXPECT_NE(error.find("did you mean " + key + "?"), std::string::npos) << error;
  }
  EXPECT_NE(error_of({"world_size=8"}).find("mpirun -n 8"), std::string::npos);
}

// Defect: the suggestion works on the command line and not in a file.
TEST(ConfigSynonyms, ServeFilesToo) {
  try {
    parse_config("optimizer:\n  learning_rate: 0.1\n", "x.yaml");
    FAIL() << "learning_rate was accepted";
  } catch (const ConfigError& error) {
    EXPECT_STREQ(error.what(),
                 "x.yaml:2:3: unknown key 'optimizer.learning_rate'; did you mean 'optimizer.lr'?");
  }
}

// Defect: an option that names a key of the config is taken for unknown.
TEST(ConfigSynonyms, KnowOptionsThatAreSettings) {
  EXPECT_EQ(settings_called("--lr").names, std::vector<std::string>{"optimizer.lr"});
  EXPECT_EQ(settings_called("--train.steps").names, std::vector<std::string>{"train.steps"});
  EXPECT_EQ(settings_called("--learning-rate").names, std::vector<std::string>{"optimizer.lr"});
  EXPECT_TRUE(settings_called("--unheard-of").names.empty());
}

}  // namespace
}  // namespace lmtrain
