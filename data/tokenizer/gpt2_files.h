// The form in which GPT-2's tokenizer was published: vocab.json (tokens with their ids) and
// merges.txt (a merge a line, in the order of rank).
#pragma once

#include <filesystem>

#include "data/tokenizer/tokenizer_pipeline.h"

namespace lmtrain {

// Whether a folder holds both.
bool has_gpt2_files(const std::filesystem::path& folder);

// "<|endoftext|>", where it is in the vocabulary, becomes a special token. Throws DataError naming
// file and line, IoError.
TokenizerPipeline load_gpt2_files(const std::filesystem::path& folder);

}  // namespace lmtrain
