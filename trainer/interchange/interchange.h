// Imports and exports models as folders of the transformers package:
// config.json, safetensors and tokenizer.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "models/families/families.h"
#include "parallel/parameter_store.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/config/load_config.h"

namespace lmtrain {

// Reads a folder's config.json. Throws DataError, also for settings that contradict each other.
HuggingfaceModel read_huggingface_model(const std::filesystem::path& folder);

// Converts a folder into a checkpoint of step 0 without optimizer state, in OUT/step-00000000.
// Throws DataError; ConfigError when OUT is not empty.
// With `adapter`, a folder of the peft package, the checkpoint has its adapters beside the weights.
void import_model(const std::filesystem::path& folder, const std::filesystem::path& adapter,
                  const std::filesystem::path& out);

struct ExportOptions {
  std::string type;  // float32, bfloat16, float16, float64; empty: as imported, else as trained
  int64_t max_file_bytes = int64_t{5} << 30;  // limit of one safetensors file
  bool adapter = false;  // the adapters alone, as the peft package reads them; else they are merged
};

// Writes a checkpoint as a folder that transformers, or peft, can load. Throws CheckpointError;
// ConfigError when OUT is not empty.
void export_model(const std::string& checkpoint, const std::filesystem::path& out,
                  const ExportOptions& options);

// The model that model.init_from names: a folder of transformers or a checkpoint.
struct InitialModel {
  ModelConfig config;
  int64_t num_tokens = 0;
  std::filesystem::path folder;      // the checkpoint's folder or the folder of transformers
  std::optional<Manifest> manifest;  // set for a checkpoint only
  Companions companions;
};

// Completes the config's model by its task (resolve_task) and from model.init_from, and the
// tokenizer if the config names none. Returns nothing when model.init_from is not set. Throws
// ConfigError for a key that was set to another value.
std::optional<InitialModel> adopt_initial_model(LoadedConfig& loaded);

// Fills the weights of a run of `model` that starts from `initial`. What a head lacks, and a head
// of other labels, begins anew, and the log says which. Throws DataError and CheckpointError.
void load_initial_weights(const InitialModel& initial, const ModelConfig& model,
                          ParameterStore& store);

}  // namespace lmtrain
