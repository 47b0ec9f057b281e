// Prompts and texts from a file, for the commands that take many.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace lmtrain {

// Returns the texts of a file: of .jsonl the string `field` of the object on each line, otherwise
// each line as it is. Empty lines count in .jsonl as nothing, else as an empty text. Throws
// DataError naming file and line, and IoError.
std::vector<std::string> read_texts(const std::filesystem::path& path, const std::string& field);

}  // namespace lmtrain
