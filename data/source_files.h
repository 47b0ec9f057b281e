// The files that a config's data.sources name, and the fingerprint of their content.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "data/data_config.h"

namespace lmtrain {

// Fingerprints include these numbers, so the order must not change.
enum class SourceFormat { kText, kJsonLines, kCommas, kTabs, kLlmc, kMegatron };

struct SourceFile {
  std::filesystem::path path;
  std::string name;  // relative to its source; the file's own name when the source is a file
  std::string separator;
  int64_t size_bytes = 0;  // as stored
  SourceFormat format = SourceFormat::kText;
  std::string field;  // the key or column of a record that holds the document
  int source = 0;     // index of the file's source in data.sources

  bool holds_tokens() const {
    return format == SourceFormat::kLlmc || format == SourceFormat::kMegatron;
  }
};

// Lists the files source by source. A folder's files, at any depth, come in the byte order of their
// relative paths, and the matches of a pattern in the byte order of their paths. Names that start
// with a dot are skipped. Links are followed, except to a folder that was listed already, with a
// warning. The folders `left_out`, such as the cache, are left out with a warning where a source's
// folder holds them. Throws DataError, naming the config key and the path, when there is no source,
// a path is missing, cannot be read or lies in a folder of `left_out`, or a folder holds no file.
std::vector<SourceFile> list_source_files(const std::vector<SourceConfig>& sources,
                                          const std::vector<std::filesystem::path>& left_out = {});

// Whether `path` is a file or folder that exists, or a pattern that matches one.
bool source_exists(const std::string& path);

int64_t total_bytes(const std::vector<SourceFile>& files);

// Hashes the files' names, separators, formats and stored bytes, in order, but not the location of
// the sources. Reads every byte; `progress` is told the share that is done.
uint64_t content_fingerprint(const std::vector<SourceFile>& files,
                             const std::function<void(double)>& progress = {});

}  // namespace lmtrain
