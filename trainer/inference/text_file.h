// Texts and pairs of texts from a file, for the commands that take many.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/strict_json.h"
#include "data/encoded_text.h"

namespace lmtrain {

// Which keys of a line's object hold them. Without a key for the pair there is none.
struct TextKeys {
  std::string text = "text";
  std::string pair;
};

// Calls `read` with the object of each line that is not empty, until it returns false. Throws
// DataError naming file and line, and IoError.
void read_json_lines(const std::filesystem::path& path,
                     const std::function<bool(JsonObject&)>& read);

// Returns the texts of a file: of .jsonl those of the object on each line; of .tsv, where pairs are
// asked for, what stands before and behind the tab of each line; otherwise each line as it is.
// Empty lines count in .jsonl as nothing, else as an empty text. Throws DataError naming file and
// line, and IoError.
std::vector<TextPair> read_texts(const std::filesystem::path& path, const TextKeys& keys);

}  // namespace lmtrain
