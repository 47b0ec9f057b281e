// Encodes documents into token files with several threads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>
#include <vector>

#include "data/source_files.h"
#include "data/token_file_writer.h"
#include "data/tokenizer/tokenizer.h"
#include "data/train_tokenizer.h"
#include "data/utf8_gate.h"

namespace lmtrain {

inline constexpr const char* kTrainFile = "train.tokens";
inline constexpr const char* kValidationFile = "validation.tokens";
// Hold the number of documents of each source, one per line.
inline constexpr const char* kTrainSourcesFile = "train.sources";
inline constexpr const char* kValidationSourcesFile = "validation.sources";

// What token files for that use hold. For a decoder a document begins with the tokenizer's
// beginning token and ends with its end token; a tokenizer without a beginning token has its end
// token at the beginning instead, as GPT-2's training data (llm.c, nanoGPT) has, so that one token
// says both. For an encoder the separator ends a document.
TokenizerIdentity identity_of(const Tokenizer& tokenizer, TokenizerUse use);

struct TokeniseOptions {
  TokenizerUse use = TokenizerUse::kNextToken;
  double validation_fraction = 0.0;
  // Each line that is not blank is encoded by itself and ends with the end token, and
  // so does the document.
  bool keeps_lines_apart = false;
  Utf8Policy utf8 = Utf8Policy::kError;
  int num_threads = 1;
  std::vector<SpecialTokens> special_tokens = {};  // in the text of each source; empty: as text
};

// Writes FOLDER/train.tokens, FOLDER/train.sources and, when validation_fraction > 0,
// FOLDER/validation.tokens and FOLDER/validation.sources, with the documents in the order of the
// files. ValidationSplit says which are for validation. A document without tokens
// counts as empty. The bytes written do not depend on num_threads. Memory: a few chunks of 1 MiB of
// text per thread. A larger document is cut at safe places (Tokenizer::safe_cut), except one of
// token ids or of lines kept apart. Throws DataError when the files hold no document.
void tokenise(const std::vector<SourceFile>& files, const Tokenizer& tokenizer,
              const TokeniseOptions& options, const std::filesystem::path& folder,
              const std::function<void(double)>& progress);

// Throws a DataError that says that the sources hold no text.
[[noreturn]] void refuse_empty_sources(int64_t num_empty_documents);

}  // namespace lmtrain
