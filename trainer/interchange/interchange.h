// Models to and from folders of the transformers package: config.json, safetensors, tokenizer.json.
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

// A folder's config.json. Throws DataError, also for settings that do not go together.
HuggingfaceModel read_huggingface_model(const std::filesystem::path& folder);

// Makes a checkpoint of a folder, of step 0 and without optimizer, in OUT/step-00000000. Throws
// DataError; ConfigError when OUT holds something.
void import_model(const std::filesystem::path& folder, const std::filesystem::path& out);

struct ExportOptions {
  std::string type;  // float32, bfloat16, float16, float64; empty: as imported, else as trained
  int64_t max_file_bytes = int64_t{5} << 30;  // of one safetensors file
};

// Writes a checkpoint as a folder that transformers loads. Throws CheckpointError; ConfigError when
// OUT holds something.
void export_model(const std::string& checkpoint, const std::filesystem::path& out,
                  const ExportOptions& options);

// What model.init_from names: a folder of transformers, or a checkpoint.
struct InitialModel {
  ModelConfig config;
  int64_t num_tokens = 0;
  std::filesystem::path folder;      // the checkpoint's, where it is one
  std::optional<Manifest> manifest;  // of a checkpoint
};

// Completes the config's model from model.init_from, and the tokenizer where none is named. Returns
// nothing where it is not set. Throws ConfigError for a key that was set to something else.
std::optional<InitialModel> adopt_initial_model(LoadedConfig& loaded);

// Fills the weights of a run that begins from it. Throws DataError, CheckpointError.
void load_initial_weights(const InitialModel& initial, ParameterStore& store);

}  // namespace lmtrain
