// The form in which BERT's tokenizer was published: vocab.txt (a token a line, in the order of
// ids), and beside it, in folders of transformers, a tokenizer_config.json.
#pragma once

#include <filesystem>

#include "data/tokenizer/tokenizer_pipeline.h"

namespace lmtrain {

bool has_bert_files(const std::filesystem::path& folder);

// "[PAD]", "[UNK]", "[CLS]", "[SEP]" and "[MASK]", where they are in the vocabulary, become special
// tokens. Text is put into lower case unless tokenizer_config.json says otherwise. Throws DataError
// naming file and line, IoError.
TokenizerPipeline load_bert_files(const std::filesystem::path& folder);

}  // namespace lmtrain
