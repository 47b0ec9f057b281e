#include "trainer/inference/loaded_model.h"

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
  LoadedModel loaded{checkpoint,
                     std::move(manifest),
                     std::move(config),
                     Tokenizer::load(checkpoint / "tokenizer.json"),
                     -1,
                     {},
                     make_single_communicator(),
                     nullptr,
                     nullptr,
                     tensor};
  loaded.start_token = start_token_of(loaded.manifest.state, loaded.tokenizer);
  loaded.end_tokens = end_tokens_of(loaded.manifest.state, loaded.tokenizer);
  Communicator& group = tensor == nullptr ? *loaded.alone : *tensor;
  const std::string reason = why_not_tensor(loaded.config, group.size(), /*sequence=*/false);
  if (group.size() > 1 && !reason.empty())
    throw ConfigError(cat("the model cannot be cut over ", group.size(), " ranks: ", reason));
  const Precision precision =
      options.precision == Precision::kAuto ? loaded.manifest.state.precision : options.precision;
  loaded.store = std::make_unique<ParameterStore>(compute_type_of(precision), at::kCPU);
  loaded.model =
      make_model(loaded.config.model, loaded.manifest.state.num_tokens, *loaded.store, group);
  loaded.store->allocate(0, StoreUse::kInference);
  load_tensors(loaded.checkpoint, loaded.manifest, *loaded.store, /*with_optimizer=*/false);
  loaded.store->refresh_compute();
  if (options.int8) loaded.store->keep_in_int8();
  release_cached_blocks();  // those of the stored tensors
  return loaded;
}

}  // namespace lmtrain
