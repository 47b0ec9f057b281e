// Reads the files in which GPT-2's tokenizer was published: vocab.json (tokens with their ids) and
// merges.txt (one merge per line, in the order of rank).
#pragma once

#include <filesystem>

#include "data/tokenizer/tokenizer_pipeline.h"

namespace lmtrain {

// Whether a folder holds both files.
bool has_gpt2_files(const std::filesystem::path& folder);

// "<|endoftext|>" becomes a special token if the vocabulary has it. Throws DataError naming file
// and line, and IoError.
TokenizerPipeline load_gpt2_files(const std::filesystem::path& folder);

}  // namespace lmtrain
