// The files beside a tokenizer's vocabulary in a folder of transformers, which extend it or say how
// it is read: added_tokens.json, and tokenizer_config.json with added_tokens_decoder,
// tokenizer_class, do_lower_case and their like.
#pragma once

#include <filesystem>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace lmtrain {

// tokenizer_config.json of the folder; an empty object where there is none. Throws DataError.
nlohmann::json read_tokenizer_config(const std::filesystem::path& folder);

// The class of transformers that reads the folder's tokenizer, without "Fast" at its end:
// "Qwen2Tokenizer". "" where neither tokenizer_config.json nor config.json's model_type tells it.
std::string tokenizer_class_of(const std::filesystem::path& folder);

// Adds the added tokens of the folder's companion files to `document`, which has the form of
// tokenizer.json. Throws DataError naming file and token where they contradict the document.
void merge_added_tokens(nlohmann::json& document, const std::filesystem::path& folder);

// Throws DataError naming the key where tokenizer_config.json asks for another treatment of the
// text than the folder's tokenizer.json has.
void require_agreement(const nlohmann::json& document, const std::filesystem::path& folder);

}  // namespace lmtrain
