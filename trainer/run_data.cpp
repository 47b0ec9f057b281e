#include "trainer/run_data.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <span>

#include <ATen/ATen.h>

#include "base/log.h"
#include "base/text.h"
#include "data/masked_loader.h"
#include "data/next_token_loader.h"
#include "data/target_bytes.h"

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
              {config.model.is_causal() ? TokenizerUse::kNextToken : TokenizerUse::kMaskedTokens,
               num_threads, show});
  show_progress_line("");
  return data;
}

namespace {

PreparedKeys broadcast(PreparedKeys keys, Launch& launch) {
  static_assert(std::is_trivially_copyable_v<PreparedKeys>);
  const at::Tensor words =
      at::zeros({static_cast<int64_t>(sizeof keys / sizeof(int64_t))}, at::kLong);
  if (launch.rank() == 0) std::memcpy(words.data_ptr(), &keys, sizeof keys);
  launch.world().broadcast(words, 0)->wait();
  std::memcpy(&keys, words.data_ptr(), sizeof keys);
  return keys;
}

std::unique_ptr<Loader> open_loader(const Config& config, const TokenFile& file,
                                    const Tokenizer& tokenizer, SampleOrder order) {
  TokenFile own = TokenFile::open(file.path());
  const auto seed = static_cast<uint64_t>(config.run.seed);
  if (config.model.is_causal()) {
    return std::make_unique<NextTokenLoader>(std::move(own), config.data.sequence_length, order,
                                             seed);
  }
  return std::make_unique<MaskedLoader>(std::move(own), tokenizer, config.data, order, seed);
}

RunData open_loaders(const Config& config, PreparedData prepared) {
  RunData data{std::move(prepared), nullptr, nullptr, 0};
  const Tokenizer& tokenizer = data.prepared.tokenizer;
  data.train = open_loader(config, data.prepared.train, tokenizer, SampleOrder::kPermutedEachEpoch);
  if (!data.prepared.validation) return data;
  data.validation =
      open_loader(config, *data.prepared.validation, tokenizer, SampleOrder::kAsInFile);
  data.num_validation_samples = std::min(data.validation->num_samples(),
                                         config.eval.batches * config.train.global_batch_size);
  return data;
}

}  // namespace

RunData open_run_data(const Config& config, int num_threads, Launch& launch) {
  std::optional<PreparedData> prepared;
  launch.together([&] {
    if (launch.rank() == 0) prepared.emplace(prepare_and_show(config, num_threads));
  });
  const PreparedKeys keys = broadcast(prepared ? prepared->keys : PreparedKeys{}, launch);
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
