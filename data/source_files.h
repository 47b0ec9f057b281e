// The files that a config's data.sources name, and the fingerprint of their content.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "data/data_config.h"

namespace lmtrain {

// Fingerprints count these numbers.
enum class SourceFormat { kText, kJsonLines, kCommas, kTabs, kLlmc, kMegatron };

struct SourceFile {
  std::filesystem::path path;
  std::string name;  // relative to its source; the file's own name when the source is a file
  std::string separator;
  int64_t size_bytes = 0;  // as stored
  SourceFormat format = SourceFormat::kText;
  std::string field;  // of records
  int source = 0;     // its place in data.sources

  bool holds_tokens() const {
    return format == SourceFormat::kLlmc || format == SourceFormat::kMegatron;
  }
};

// Source by source; a folder's files, at any depth, in the byte order of their relative paths; what
// a pattern matches in that of the paths.
// Names that start with a dot are skipped; links to files are followed, links to folders are not (a
// warning says so). Throws DataError, naming the config key and the path, when there is no source,
// a path is missing, or a folder holds no file.
std::vector<SourceFile> list_source_files(const std::vector<SourceConfig>& sources);

// Whether there is such a file or folder, or a pattern matches one.
bool source_exists(const std::string& path);

int64_t total_bytes(const std::vector<SourceFile>& files);

// Of names, separators, formats and bytes as stored, in order; where a source lies does not count.
// Reads every byte; `progress` is told the share done.
uint64_t content_fingerprint(const std::vector<SourceFile>& files,
                             const std::function<void(double)>& progress = {});

}  // namespace lmtrain
