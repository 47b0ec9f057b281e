// Turns documents into token files with several threads.
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
// The number of training documents of each source, a line each.
inline constexpr const char* kTrainSourcesFile = "train.sources";

TokenizerIdentity identity_of(const Tokenizer& tokenizer);

// Whether a document is kept for validation: a hash of its text decides, so `fraction` of distinct
// documents are in expectation, whatever their order, and copies of one stay together.
bool is_for_validation(std::string_view text, double fraction);

struct TokeniseOptions {
  double validation_fraction = 0.0;
  // Each line that is not blank is encoded alone and ends with the end token, as does the document.
  bool keeps_lines_apart = false;
  Utf8Policy utf8 = Utf8Policy::kError;
  int num_threads = 1;
};

// Writes FOLDER/train.tokens, train.sources and, when validation_fraction > 0,
// FOLDER/validation.tokens, documents in the order of the files; one that has no token counts as
// empty. The bytes written do not depend on num_threads. Memory: a few chunks of 1 MiB of text per
// thread; a document larger than that is cut at safe places, but for one of tokens or of lines kept
// apart. Throws DataError when the files hold no document.
void tokenise(const std::vector<SourceFile>& files, const Tokenizer& tokenizer,
              const TokeniseOptions& options, const std::filesystem::path& folder,
              const std::function<void(double)>& progress);

// Throws DataError that says the sources hold no text.
[[noreturn]] void refuse_empty_sources(int64_t num_empty_documents);

}  // namespace lmtrain
