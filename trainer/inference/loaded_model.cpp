#include "trainer/inference/loaded_model.h"

#include <cmath>
#include <future>

#include "base/error.h"
#include "base/text.h"
#include "parallel/caching_allocator.h"
#include "trainer/config/load_config.h"
#include "trainer/planning/layouts.h"

namespace lmtrain {

LoadedModel load_model(const std::string& path, const ModelOptions& options, Communicator* tensor) {
  static const bool keeps_blocks = (install_caching_allocator(), true);  // once in a process
  static_cast<void>(keeps_blocks);
  const std::filesystem::path checkpoint = resolve_checkpoint(path);
  Manifest manifest = read_manifest(checkpoint);
  Config config =
      parse_config(manifest.state.config, (checkpoint / "manifest.json").string()).config;
  // A large vocabulary takes about as long to read as the weights: both at once.
  std::future<Tokenizer> tokenizer = std::async(
      std::launch::async, [&] { return Tokenizer::load(checkpoint / "tokenizer.json"); });
  std::unique_ptr<Communicator> alone = make_single_communicator();
  Communicator& group = tensor == nullptr ? *alone : *tensor;
  const std::string reason = why_not_tensor(config, group.size(), /*sequence=*/false);
  if (group.size() > 1 && !reason.empty())
    throw ConfigError(cat("the model cannot be cut over ", group.size(), " ranks: ", reason));
  const Precision precision =
      options.precision == Precision::kAuto ? manifest.state.precision : options.precision;
  auto store = std::make_unique<ParameterStore>(compute_type_of(precision), at::kCPU);
  auto model = make_model(config.model, manifest.state.num_tokens, *store, group);
  store->allocate(0, StoreUse::kInference);
  load_tensors(checkpoint, manifest, *store, /*with_optimizer=*/false);
  store->refresh_compute();
  if (options.int8) store->keep_in_int8();
  release_cached_blocks();  // those of the stored tensors
  LoadedModel loaded{checkpoint, std::move(manifest), std::move(config), tokenizer.get(),  -1,
                     {},         std::move(alone),    std::move(store),  std::move(model), tensor};
  loaded.start_token = start_token_of(loaded.manifest.state, loaded.tokenizer);
  loaded.end_tokens = end_tokens_of(loaded.manifest.state, loaded.tokenizer);
  return loaded;
}

void require_finite(const at::Tensor& result) {
  // A sum in fp64 is finite where all its fp32 terms are.
  if (std::isfinite(result.sum(at::kDouble).item<double>())) return;
  throw DataError(
      "the model's result for this text is not finite (NaN or infinity): its weights are damaged, or "
      "are too large for this precision");
}

}  // namespace lmtrain
