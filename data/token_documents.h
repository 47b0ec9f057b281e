// Documents that are token ids already: files of llm.c and of Megatron-LM.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "data/file_documents.h"

namespace lmtrain {

// Whether a file begins as llm.c's token files do.
bool is_llmc_file(const std::filesystem::path& path);

// llm.c (github.com/karpathy/llm.c, dev/data/data_common.py): 256 int32, of which the first are a
// magic number, a version and the number of tokens, then the tokens: uint16 of GPT-2's tokenizer,
// each document behind its token 50256, or uint32 of Llama 3's, behind 128000.
//
// Megatron-LM (megatron/core/datasets/indexed_dataset.py): X.idx with "MMIDIDX", version 1, the
// type of ids, lengths and places of sequences and the first sequence of each document, beside
// X.bin with the ids. `file.path` is X.bin.
//
// A document's text is the bytes of its ids as int32, tokens_of is set. Throws DataError naming the
// file for one that contradicts itself.
std::unique_ptr<FileDocuments> open_token_documents(const SourceFile& file);

}  // namespace lmtrain
