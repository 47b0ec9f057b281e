// Models to and from folders of the transformers package: config.json, safetensors, tokenizer.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "models/huggingface/model_json.h"
#include "parallel/parameter_store.h"
#include "trainer/load_config.h"

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

// Where model.init_from names a folder: completes the config's model from it, and the tokenizer
// where none is named. Throws ConfigError for a key that was set to something else.
void adopt_initial_model(LoadedConfig& loaded);

// The vocabulary that the model of model.init_from has; 0 without.
int64_t initial_num_tokens(const Config& config);
// Fills the weights of a run that begins from model.init_from, a folder of transformers or a
// checkpoint. Throws DataError, CheckpointError.
void load_initial_weights(const Config& config, ParameterStore& store);

}  // namespace lmtrain
