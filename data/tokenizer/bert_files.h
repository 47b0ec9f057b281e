// Reads the files in which BERT's tokenizer was published: vocab.txt (one token per line, in the
// order of ids) and, in folders of transformers, a tokenizer_config.json beside it.
#pragma once

#include <filesystem>

#include "data/tokenizer/tokenizer_pipeline.h"

namespace lmtrain {

bool has_bert_files(const std::filesystem::path& folder);

// "[PAD]", "[UNK]", "[CLS]", "[SEP]" and "[MASK]" become special tokens if the vocabulary has them.
// The tokenizer converts text to lower case unless tokenizer_config.json says otherwise. Throws
// DataError naming file and line, and IoError.
TokenizerPipeline load_bert_files(const std::filesystem::path& folder);

}  // namespace lmtrain
