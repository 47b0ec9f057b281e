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
#include "data/utf8_gate.h"

namespace lmtrain {

inline constexpr const char* kTrainFile = "train.tokens";
inline constexpr const char* kValidationFile = "validation.tokens";
// Holds the number of training documents of each source, one per line.
inline constexpr const char* kTrainSourcesFile = "train.sources";

TokenizerIdentity identity_of(const Tokenizer& tokenizer);

// Whether a document is kept for validation. A hash of its text decides, so the order of documents
// does not matter, copies of a document stay together, and the expected share of the distinct
// documents is `fraction`.
bool is_for_validation(std::string_view text, double fraction);

struct TokeniseOptions {
  double validation_fraction = 0.0;
  // Each line that is not blank is encoded by itself and ends with the end token, and
  // so does the document.
  bool keeps_lines_apart = false;
  Utf8Policy utf8 = Utf8Policy::kError;
  int num_threads = 1;
};

// Writes FOLDER/train.tokens, FOLDER/train.sources and, when validation_fraction > 0,
// FOLDER/validation.tokens, with the documents in the order of the files. A document without tokens
// counts as empty. The bytes written do not depend on num_threads. Memory: a few chunks of 1 MiB of
// text per thread. A larger document is cut at safe places (Tokenizer::safe_cut), except one of
// token ids or of lines kept apart. Throws DataError when the files hold no document.
void tokenise(const std::vector<SourceFile>& files, const Tokenizer& tokenizer,
              const TokeniseOptions& options, const std::filesystem::path& folder,
              const std::function<void(double)>& progress);

// Throws a DataError that says that the sources hold no text.
[[noreturn]] void refuse_empty_sources(int64_t num_empty_documents);

}  // namespace lmtrain
