// Documents that are stored as token ids: files of llm.c and of Megatron-LM.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "data/file_documents.h"

namespace lmtrain {

// Whether a file begins as llm.c's token files do.
bool is_llmc_file(const std::filesystem::path& path);

// llm.c (github.com/karpathy/llm.c, dev/data/data_common.py): a header of 256 int32, of which the
// first three are a magic number, a version and the number of tokens, then the tokens. They are
// uint16 ids of GPT-2's tokenizer, where 50256 begins each document, or uint32 ids of Llama 3's
// tokenizer, where 128000 does.
//
// Megatron-LM (megatron/core/datasets/indexed_dataset.py): X.bin holds the ids. X.idx beside it
// holds "MMIDIDX", version 1, the type of the ids, lengths and places of the sequences, and the
// first sequence of each document. `file.path` is X.bin.
//
// A document's text is the bytes of its ids as int32, and tokens_of is set. Throws DataError naming
// the file when the file contradicts itself.
std::unique_ptr<FileDocuments> open_token_documents(const SourceFile& file);

}  // namespace lmtrain
