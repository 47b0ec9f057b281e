#include "trainer/start/run_data.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <numeric>
#include <optional>
#include <span>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "data/blended_loader.h"
#include "data/labelled/labelled_loader.h"
#include "data/labelled/packed_loader.h"
#include "data/masked_loader.h"
#include "data/next_token_loader.h"
#include "data/target_bytes.h"
#include "parallel/typed_gather.h"
#include "trainer/inference/chat.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

// Shows the stages of a preparation, each once in a log, and the share that is done in a terminal.
class ShownPreparation {
 public:
  void operator()(std::string_view stage, double fraction) {
    show_progress_line(cat(stage, " ", fixed(100 * fraction, 0), "%"));
    if (shown_ == stage) return;
    if (!progress_line_is_live()) log_info(stage);
    shown_ = stage;
  }

 private:
  std::string shown_;
};

PrepareOptions options_of(const Config& config, int num_threads, ShownPreparation& shown) {
  return {config.model.traits().predicts_next_token() ? TokenizerUse::kNextToken
                                                      : TokenizerUse::kMaskedTokens,
          num_threads, std::ref(shown), config.run.dir};
}

}  // namespace

Companions companions_of_run(const Config& config, Companions initial) {
  if (config.task != TrainingTask::kInstructionTuning) return initial;
  Companions companions = std::move(initial);
  if (companions.empty() && fs::is_directory(config.tokenizer.path)) {
    companions = read_companions(config.tokenizer.path);
    // The others tell of a model, which is not the run's.
    std::erase_if(companions, [](const auto& file) {
      return file.first != "tokenizer_config.json" && file.first != "special_tokens_map.json" &&
             file.first != kChatTemplateFile;
    });
  }
  const std::string& path = config.data.labelled.chat_template;
  if (!path.empty()) companions[kChatTemplateFile] = read_file(path, ChatTemplate::kMaxBytes);
  return companions;
}

PreparedData prepare_and_show(const Config& config, int num_threads) {
  ShownPreparation shown;
  PreparedData data =
      prepare(config.data, config.tokenizer, options_of(config, num_threads, shown));
  show_progress_line("");
  return data;
}

PreparedExamples prepare_labelled_and_show(const Config& config, const Companions& companions,
                                           int num_threads) {
  ShownPreparation shown;
  PreparedExamples data = prepare_labelled(
      config.data, config.tokenizer, config.task, config.model.labels,
      [&](const Tokenizer& tokenizer) { return chat_of(companions, tokenizer); },
      options_of(config, num_threads, shown));
  show_progress_line("");
  return data;
}

namespace {

std::unique_ptr<Loader> open_loader(const Config& config, const TokenFile& file,
                                    const Tokenizer& tokenizer, SampleOrder order, uint64_t seed) {
  if (config.model.traits().predicts_next_token())
    return std::make_unique<NextTokenLoader>(file, config.data.sequence_length, order, seed);
  return std::make_unique<MaskedLoader>(file, tokenizer, config.data, order, seed);
}

// A loader for each source, blended by the sources' weights.
std::unique_ptr<Loader> open_blend(const Config& config, const PreparedData& prepared) {
  std::vector<std::unique_ptr<Loader>> parts;
  std::vector<double> weights;
  int64_t first = 0;
  for (size_t i = 0; i < prepared.train_documents.size(); ++i) {
    const int64_t count = prepared.train_documents[i];
    const std::string key = cat("data.sources[", i, "]");
    if (count == 0) throw DataError(cat(key, " has a weight, but no training document"));
    const uint64_t seed = hash_text(key, static_cast<uint64_t>(config.run.seed));
    try {
      parts.push_back(open_loader(config, prepared.train.part(first, count), prepared.tokenizer,
                                  SampleOrder::kPermutedEachEpoch, seed));
    } catch (const DataError& error) {
      throw DataError(cat(key, ": ", error.what()));
    }
    weights.push_back(config.data.sources[i].weight);
    first += count;
  }
  return std::make_unique<BlendedLoader>(std::move(parts), weights);
}

uint64_t fingerprint_of(const PreparedData& prepared, const DataConfig& config) {
  const uint64_t text = prepared.train.fingerprint();
  if (!config.has_weights()) return text;
  std::string blend = hex16(text);
  for (const SourceConfig& source : config.sources) blend += cat(" ", shortest(source.weight));
  return hash_text(blend);
}

std::vector<SourceTokens> tokens_by_source(const TokenFile& file,
                                           const std::vector<int64_t>& documents,
                                           const DataConfig& config) {
  std::vector<SourceTokens> sources;
  int64_t last = 0;
  for (size_t i = 0; i < documents.size(); ++i) {
    last += documents[i];
    const uint64_t end = file.document_offsets()[static_cast<size_t>(last)];
    sources.push_back({config.sources[i].path, static_cast<int64_t>(end)});
  }
  return sources;
}

void limit_validation(const Config& config, RunData& data, std::optional<int64_t> batches) {
  if (!data.validation) return;
  data.num_validation_samples = data.validation->num_samples();
  if (batches) {
    data.num_validation_samples =
        std::min(data.num_validation_samples, *batches * config.train.global_batch_size);
  }
}

RunData open_loaders(const Config& config, PreparedData text) {
  RunData data{text.tokenizer, static_cast<int32_t>(text.train.header().start_token), std::nullopt,
               text.was_in_cache, std::move(text)};
  const PreparedData& prepared = *data.text;
  data.fingerprint = fingerprint_of(prepared, config.data);
  const auto seed = static_cast<uint64_t>(config.run.seed);
  data.train = config.data.has_weights() ? open_blend(config, prepared)
                                         : open_loader(config, prepared.train, prepared.tokenizer,
                                                       SampleOrder::kPermutedEachEpoch, seed);
  if (!prepared.validation) return data;
  data.validation =
      open_loader(config, *prepared.validation, prepared.tokenizer, SampleOrder::kSpread, seed);
  data.validation_sources =
      tokens_by_source(*prepared.validation, prepared.validation_documents, config.data);
  limit_validation(config, data, config.eval.batches.value_or(EvalConfig::kBatches));
  return data;
}

std::vector<double> class_weights_of(const Config& config, const PreparedExamples& prepared) {
  const LabelledConfig& labelled = config.data.labelled;
  const size_t num_labels = prepared.labels.size();
  if (labelled.balanced) return balanced_weights(prepared.train, num_labels);
  if (!labelled.class_weights.empty() && labelled.class_weights.size() != num_labels) {
    throw ConfigError(cat("data.labelled.class_weights has ", labelled.class_weights.size(),
                          " weights, and there are ", num_labels,
                          " labels: ", join(prepared.labels, ", ")));
  }
  if (!labelled.class_weights.empty() && std::ranges::max(labelled.class_weights) <= 0) {
    throw ConfigError(
        "data.labelled.class_weights are all 0, so that nothing would be learned; give at least one "
        "label a weight");
  }
  return labelled.class_weights;
}

int64_t padding_of(const Tokenizer& tokenizer) {
  return tokenizer.pad_token() >= 0 ? tokenizer.pad_token()
                                    : std::max<int32_t>(0, tokenizer.end_of_text());
}

LabelledRule rule_of(const Config& config, const PreparedExamples& prepared) {
  LabelledRule rule;
  rule.task = config.task;
  rule.sequence_length = config.data.sequence_length;
  rule.pad = padding_of(prepared.tokenizer);
  rule.num_segments = config.model.traits().num_segments;
  // Vector units are full, and the tensor axis cuts the tokens evenly.
  constexpr int64_t kMultiple = 8;
  rule.width_multiple = std::lcm(kMultiple, config.parallel.tensor);
  rule.group = config.data.labelled.group_by_length ? config.train.global_batch_size : 0;
  rule.class_weights = class_weights_of(config, prepared);
  return rule;
}

std::unique_ptr<Loader> open_labelled_loader(const Config& config, const PreparedExamples& prepared,
                                             const ExampleFile& file, SampleOrder order) {
  const auto seed = static_cast<uint64_t>(config.run.seed);
  if (config.task == TrainingTask::kInstructionTuning && config.data.labelled.pack) {
    return std::make_unique<PackedLoader>(file, config.data.sequence_length,
                                          padding_of(prepared.tokenizer), order, seed);
  }
  return std::make_unique<LabelledLoader>(file, rule_of(config, prepared), order, seed);
}

std::optional<int32_t> end_of_answers(const ExampleFile& examples, const Tokenizer& tokenizer) {
  std::map<int32_t, int64_t> counts;
  for (int64_t i = 0; i < examples.size(); ++i) {
    const Example example = examples.at(i);
    for (size_t k = example.ids.size(); k-- > 0;) {
      if (example.labels[k] == 0 || !tokenizer.is_special(example.ids[k])) continue;
      ++counts[example.ids[k]];
      break;
    }
  }
  if (counts.empty()) return std::nullopt;
  return std::ranges::max_element(counts, {}, &std::pair<const int32_t, int64_t>::second)->first;
}

RunData open_labelled(const Config& config, PreparedExamples labelled) {
  RunData data{labelled.tokenizer, labelled.tokenizer.begin_of_text(),
               std::nullopt,       labelled.was_in_cache,
               std::nullopt,       std::move(labelled)};
  const PreparedExamples& prepared = *data.labelled;
  data.fingerprint = prepared.train.fingerprint();
  if (config.task == TrainingTask::kInstructionTuning)
    data.answer_end = end_of_answers(prepared.train, prepared.tokenizer);
  data.train =
      open_labelled_loader(config, prepared, prepared.train, SampleOrder::kPermutedEachEpoch);
  if (!prepared.validation) return data;
  data.validation =
      open_labelled_loader(config, prepared, *prepared.validation, SampleOrder::kSpread);
  limit_validation(config, data, config.eval.batches);
  return data;
}

// Rank 0 prepares with `make`, the others open with `open` what it tells them.
template <class Keys, class Prepared, class Make, class Open>
Prepared prepared_by_first(Launch& launch, const Make& make, const Open& open) {
  std::optional<Prepared> prepared;
  launch.first_works([&] { prepared.emplace(make()); });
  const Keys keys = broadcast_from(launch.world(), 0, prepared ? prepared->keys : Keys{});
  launch.together([&] {
    if (!prepared) prepared.emplace(open(keys));
  });
  return std::move(*prepared);
}

}  // namespace

RunData open_run_data(const Config& config, const Companions& companions, int num_threads,
                      PhaseTracker& phases, Launch& launch) {
  const PhaseScope scope(phases, Phase::kPreparation);
  std::optional<RunData> data;
  if (config.task == TrainingTask::kLanguageModeling) {
    PreparedData text = prepared_by_first<PreparedKeys, PreparedData>(
        launch, [&] { return prepare_and_show(config, num_threads); },
        [&](const PreparedKeys& keys) { return open_prepared(config.data, keys); });
    launch.together([&] { data.emplace(open_loaders(config, std::move(text))); });
  } else {
    PreparedExamples labelled = prepared_by_first<ExampleKeys, PreparedExamples>(
        launch, [&] { return prepare_labelled_and_show(config, companions, num_threads); },
        [&](const ExampleKeys& keys) {
          return open_prepared_examples(config.data, config.tokenizer, keys);
        });
    launch.together([&] { data.emplace(open_labelled(config, std::move(labelled))); });
  }
  return std::move(*data);
}

int64_t count_validation_bytes(const RunData& data) {
  const TargetBytes bytes(data.tokenizer);
  int64_t total = 0;
  for (int64_t i = 0; i < data.num_validation_samples; ++i) {
    total += bytes.of_batch(data.validation->load(std::span<const int64_t>(&i, 1)));
  }
  return total;
}

}  // namespace lmtrain
