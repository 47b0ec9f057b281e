// What holds for every family of the list, whatever it computes.
#include "models/families/families.h"

#include <algorithm>
#include <set>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "base/config_value.h"
#include "base/error.h"
#include "models/huggingface/safetensors.h"
#include "models/model_sizes.h"
#include "tests/temporary_folder.h"

namespace lmtrain {
namespace {

constexpr int64_t kTokens = 61;

// The values of a config, with one spelling for what is the same model.
std::vector<ConfigValue> values_of(ModelConfig model) {
  model.num_kv_heads = model.kv_heads();
  model.embeddings = model.has_tied_head() ? Embeddings::kTied : Embeddings::kUntied;
  Fields fields;
  model.describe(fields);
  return config_values(fields);
}

bool is_own_key(const ModelFamily& family, std::string_view key) {
  return std::ranges::find(family.own_keys, key) != family.own_keys.end();
}

// Small models of a family: with each of its heads, without a pooler where it may lack one, and
// with a head of its own table where it allows one.
std::vector<ModelConfig> models_of(const ModelFamily& family) {
  ModelConfig model;
  model.kind = family.kind;
  model.num_layers = 2;
  model.num_heads = 4;
  model.hidden_size = 16;
  model.feed_forward_size = 24;
  model.max_positions = 8;
  model.vocab_size = kTokens;
  model.norm_eps = 1e-12;  // the only one of distilbert
  std::vector<ModelConfig> models;
  std::set<HeadKind> heads;
  for (const HeadClass& one : family.classes(model)) {
    if (!heads.insert(one.head).second) continue;  // another class with the same head
    model.head = one.head;
    model.labels.clear();
    if (model.has_label_head() && !model.answers_questions()) model.labels = {"no", "yes"};
    if (model.head == HeadKind::kNone && is_own_key(family, "pooler")) {
      model.pooler = false;
      models.push_back(model);
      model.pooler = true;
    }
    for (const Embeddings embeddings : {Embeddings::kAuto, Embeddings::kUntied}) {
      model.embeddings = embeddings;
      if (!find_problem(model).has_value()) models.push_back(model);
    }
  }
  return models;
}

class Families : public testing::TestWithParam<ModelFamily> {};

// Defect: a parameter is left out of the files, is in them twice, or comes back with its parts in
// another order.
TEST_P(Families, EveryParameterLiesInTheFilesAndComesBack) {
  at::manual_seed(1);
  const std::vector<ModelConfig> models = models_of(GetParam());
  ASSERT_FALSE(models.empty());
  for (const ModelConfig& model : models) {
    const auto store = declared_parameters(model, kTokens);
    NamedShapes shapes;
    NamedTensors ours;
    for (const Parameter* parameter : store->parameters()) {
      const ParameterSpec& spec = parameter->spec();
      shapes[spec.name] = spec.logical_shape;
      ours[spec.name] = at::randn(spec.logical_shape, at::kDouble);
    }
    const TensorMap map = tensor_map_of(model, kTokens);
    std::set<std::string> mapped;
    for (const TensorPart& part : map.parts) {
      EXPECT_EQ(shapes.count(part.parameter), 1u) << part.parameter;
      mapped.insert(part.parameter);
    }
    for (const auto& [name, shape] : shapes) EXPECT_EQ(mapped.count(name), 1u) << name;
    const NamedTensors theirs = to_huggingface(map.parts, ours);
    int64_t numel = 0;
    for (const auto& [name, tensor] : theirs) numel += tensor.numel();
    EXPECT_EQ(numel, store->num_logical_elements());
    const NamedTensors back = from_huggingface(map.parts, theirs, shapes);
    for (const auto& [name, tensor] : ours) EXPECT_TRUE(at::equal(back.at(name), tensor)) << name;
  }
}

// Defect: a setting is lost on the way to config.json or back.
TEST_P(Families, ConfigJsonComesBack) {
  for (const ModelConfig& model : models_of(GetParam())) {
    const nlohmann::json json = model_to_json(model, kTokens, {}, "float32");
    HuggingfaceModel back = model_from_json(json, "config.json");
    back.config.pooler = model.pooler;  // which the files tell
    EXPECT_EQ(back.num_tokens, kTokens);
    for (const ConfigChange& change : config_changes(values_of(model), values_of(back.config)))
      ADD_FAILURE() << change.key << ": " << change.before << ", now " << change.now;
  }
}

// Defect: an encoder without a pooler is refused for the lack of it, or is given one.
TEST(FilesOfTransformers, TellWhetherAnEncoderHasAPooler) {
  for (const std::string kind : {"bert", "roberta"}) {
    for (const bool has_pooler : {true, false}) {
      ModelConfig model;
      model.kind = kind;
      model.head = HeadKind::kNone;
      model.num_layers = 1;
      model.num_heads = 2;
      model.hidden_size = model.feed_forward_size = 8;
      model.pooler = has_pooler;
      NamedTensors ours;
      const auto store = declared_parameters(model, kTokens);
      for (const Parameter* parameter : store->parameters())
        ours[parameter->spec().name] = at::zeros(parameter->spec().logical_shape);
      const TemporaryFolder folder;
      write_safetensors(folder / "model.safetensors",
                        to_huggingface(tensor_map_of(model, kTokens).parts, ours));
      HuggingfaceModel read =
          model_from_json(model_to_json(model, kTokens, {}, "float32"), "config.json");
      complete_by_files(read, SafetensorsFolder(folder.path()));
      EXPECT_EQ(read.config.head, HeadKind::kNone);
      EXPECT_EQ(read.config.pooler, has_pooler) << kind;
      model.head = HeadKind::kLanguageModel;
      EXPECT_EQ(find_problem(model).has_value(), !has_pooler);
    }
  }
}

// Defect: a config.json refused for what changes nothing that lmtrain computes.
TEST(ConfigJsonOfTransformers, HarmlessSettingsAreTaken) {
  const auto read = [](const std::string& kind, const nlohmann::json& more) {
    ModelConfig model;
    model.kind = kind;
    nlohmann::json json = model_to_json(model, kTokens, {}, "float32");
    json.update(more);
    return model_from_json(json, "config.json").config;
  };
  EXPECT_NO_THROW(read("gpt2", {{"activation_function", "gelu_pytorch_tanh"}}));
  EXPECT_EQ(read("gpt2", {{"resid_pdrop", 0.2}, {"attn_pdrop", 0.0}}).dropout, 0.2);
  EXPECT_NO_THROW(read("llama", {{"hidden_act", "swish"}, {"attention_dropout", 0.1}}));
  EXPECT_NO_THROW(read("llama", {{"use_sliding_window", false}, {"sliding_window", 4096}}));
  EXPECT_THROW(read("llama", {{"use_sliding_window", true}, {"sliding_window", 4096}}), DataError);
  EXPECT_THROW(read("llama", {{"sliding_window", 4096}}), DataError);
  EXPECT_NO_THROW(read("bert", {{"attention_probs_dropout_prob", 0.0}}));
  EXPECT_NO_THROW(read(
      "bert", {{"architectures", {"BertForTokenClassification"}}, {"classifier_dropout", 0.3}}));
  EXPECT_THROW(read("gpt2", {{"activation_function", "relu"}}), DataError);
  ModelConfig gpt2;
  EXPECT_EQ(model_to_json(gpt2, kTokens, {}, "float32")["n_ctx"], gpt2.max_positions);
}

INSTANTIATE_TEST_SUITE_P(All, Families, testing::ValuesIn(model_families()),
                         [](const auto& family) { return family.param.kind; });

}  // namespace
}  // namespace lmtrain
