#include "trainer/inference/loaded_model.h"

#include "trainer/config/load_config.h"

namespace lmtrain {

LoadedModel load_model(const std::string& path, Precision precision) {
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
                     nullptr};
  loaded.start_token = start_token_of(loaded.manifest.state, loaded.tokenizer);
  loaded.end_tokens = end_tokens_of(loaded.manifest.state, loaded.tokenizer);
  if (precision == Precision::kAuto) precision = loaded.manifest.state.precision;
  loaded.store = std::make_unique<ParameterStore>(compute_type_of(precision), at::kCPU);
  loaded.model = make_model(loaded.config.model, loaded.manifest.state.num_tokens, *loaded.store,
                            *loaded.alone);
  loaded.store->allocate(0, StoreUse::kInference);
  load_tensors(loaded.checkpoint, loaded.manifest, *loaded.store, /*with_optimizer=*/false);
  loaded.store->refresh_compute();
  return loaded;
}

}  // namespace lmtrain
