#include "trainer/run_data.h"

#include <algorithm>
#include <cstring>
#include <span>

#include <ATen/ATen.h>

#include "base/log.h"
#include "base/text.h"
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
  PreparedData data = prepare(config.data, config.tokenizer, num_threads, show);
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

RunData open_loaders(const Config& config, PreparedData prepared) {
  const int64_t length = config.data.sequence_length;
  Loader train(TokenFile::open(prepared.train.path()), length, SampleOrder::kPermutedEachEpoch,
               static_cast<uint64_t>(config.run.seed));
  std::optional<Loader> validation;
  int64_t num_validation_samples = 0;
  if (prepared.validation) {
    validation.emplace(TokenFile::open(prepared.validation->path()), length,
                       SampleOrder::kAsInFile);
    num_validation_samples =
        std::min(validation->num_samples(), config.eval.batches * config.train.global_batch_size);
  }
  return {std::move(prepared), std::move(train), std::move(validation), num_validation_samples};
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
