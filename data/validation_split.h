// Which documents, or which part of them, are kept for validation.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "data/documents.h"
#include "data/source_files.h"

namespace lmtrain {

// Whether a hash of its text chooses a document for validation, so that the order of documents does
// not matter, copies of a document stay together, and the expected share of the distinct documents
// is `fraction`.
bool is_for_validation(std::string_view text, double fraction);

// Decides for the documents of all sources, in the order of their files. Of a source that holds
// many documents, a hash chooses (is_for_validation). Of a source with so few that a hash might
// choose none of them, or all, the last `fraction` of the text is for validation, and the document
// in which that part begins is cut in two, where possible at the end of a line.
class ValidationSplit {
 public:
  // Reads each source until it has shown many documents. Logs which sources give their last part.
  // Throws DataError as DocumentReader does.
  ValidationSplit(const std::vector<SourceFile>& files, double fraction, Utf8Policy utf8);

  struct Part {
    std::string_view text;
    bool for_validation = false;
  };
  // The next document, whole or in two parts.
  std::vector<Part> split(const Document& document);

 private:
  // A source of few documents: how many of its bytes are for training, and how many came by.
  struct Tail {
    int64_t begin = 0;
    int64_t passed = 0;
  };

  double fraction_;
  std::vector<std::optional<Tail>> tails_;  // by source
};

}  // namespace lmtrain
