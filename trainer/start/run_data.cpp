#include "trainer/start/run_data.h"

#include <algorithm>
#include <optional>
#include <span>

#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "data/blended_loader.h"
#include "data/masked_loader.h"
#include "data/next_token_loader.h"
#include "data/target_bytes.h"
#include "parallel/typed_gather.h"

namespace lmtrain {

PreparedData prepare_and_show(const Config& config, int num_threads) {
  std::string stage_shown;
  const auto show = [&](std::string_view stage, double fraction) {
    show_progress_line(cat(stage, " ", fixed(100 * fraction, 0), "%"));
    if (stage_shown == stage) return;
    if (!progress_line_is_live()) log_info(stage);
    stage_shown = stage;
  };
  PreparedData data =
      prepare(config.data, config.tokenizer,
              {config.model.traits().predicts_next_token() ? TokenizerUse::kNextToken
                                                           : TokenizerUse::kMaskedTokens,
               num_threads, show, config.run.dir});
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

RunData open_loaders(const Config& config, PreparedData prepared) {
  RunData data{std::move(prepared), nullptr, nullptr, 0, {}, 0};
  data.fingerprint = fingerprint_of(data.prepared, config.data);
  const Tokenizer& tokenizer = data.prepared.tokenizer;
  const auto seed = static_cast<uint64_t>(config.run.seed);
  data.train = config.data.has_weights() ? open_blend(config, data.prepared)
                                         : open_loader(config, data.prepared.train, tokenizer,
                                                       SampleOrder::kPermutedEachEpoch, seed);
  if (!data.prepared.validation) return data;
  data.validation =
      open_loader(config, *data.prepared.validation, tokenizer, SampleOrder::kSpread, seed);
  data.validation_sources =
      tokens_by_source(*data.prepared.validation, data.prepared.validation_documents, config.data);
  data.num_validation_samples = std::min(data.validation->num_samples(),
                                         config.eval.batches * config.train.global_batch_size);
  return data;
}

}  // namespace

RunData open_run_data(const Config& config, int num_threads, PhaseTracker& phases, Launch& launch) {
  const PhaseScope scope(phases, Phase::kPreparation);
  std::optional<PreparedData> prepared;
  launch.first_works([&] { prepared.emplace(prepare_and_show(config, num_threads)); });
  const PreparedKeys keys =
      broadcast_from(launch.world(), 0, prepared ? prepared->keys : PreparedKeys{});
  std::optional<RunData> data;
  launch.together([&] {
    if (!prepared) prepared.emplace(open_prepared(config.data, keys));
    data.emplace(open_loaders(config, std::move(*prepared)));
  });
  return std::move(*data);
}

int64_t count_validation_bytes(const RunData& data) {
  const TargetBytes bytes(data.prepared.tokenizer);
  int64_t total = 0;
  for (int64_t i = 0; i < data.num_validation_samples; ++i) {
    total += bytes.of_batch(data.validation->load(std::span<const int64_t>(&i, 1)));
  }
  return total;
}

}  // namespace lmtrain
