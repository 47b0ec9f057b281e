// What a folder of transformers says of a model besides architecture, weights and tokens: which
// tokens end a text, how one samples, how a chat is written, how sentences are pooled. lmtrain
// keeps these files word for word from import through training to export, and reads from them what
// it needs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace lmtrain {

// The contents of the files that are there, by their path within the folder.
using Companions = std::map<std::string, std::string>;

// Reads config.json, generation_config.json, tokenizer_config.json, special_tokens_map.json,
// chat_template.jinja and the files of sentence-transformers (modules.json, 1_Pooling). Throws
// DataError naming the file where one is not JSON or is larger than 4 MiB.
Companions read_companions(const std::filesystem::path& folder);

// Throws DataError where `companions`, which come from a checkpoint, name a file that is none of
// those.
void check_companions(const Companions& companions);

// What a file of JSON holds, null where it is not among them. Throws DataError.
nlohmann::json companion_json(const Companions& companions, const std::string& name);

// The tokens any of which ends a text: eos_token_id of generation_config.json, else of config.json.
// Empty where neither says so; ids that are not below `num_tokens` are left out. Throws DataError
// for what is no id.
std::vector<int32_t> end_tokens_of(const Companions& companions, int64_t num_tokens);

// Makes `token` one of the tokens that end a text, in generation_config.json.
void add_end_token(Companions& companions, int32_t token, int64_t num_tokens);

// How generation_config.json samples; what it does not say is left out. Throws DataError for a
// value that is no number or cannot be.
struct SamplingDefaults {
  std::optional<double> temperature;  // 0 where it takes the most likely token
  std::optional<int64_t> top_k;
  std::optional<double> top_p;
};
SamplingDefaults sampling_defaults_of(const Companions& companions);

// Puts the ids of beginning, end and padding token of their config.json into the exported one.
void keep_token_ids(const Companions& companions, nlohmann::json& config);

// Writes all but config.json into a folder, durably.
void write_companions(const Companions& companions, const std::filesystem::path& folder);

}  // namespace lmtrain
