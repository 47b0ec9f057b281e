// Files that survive a crash: every write checked, fsync, rename, fsync of the folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace lmtrain {

// A file written beside its final place ("PATH.tmp.PID") and moved there by commit(). Without
// commit() the temporary file is removed and PATH stays as it was. Every failure throws IoError
// naming the path.
class DurableFile {
 public:
  // Reserves `expected_bytes` up front (posix_fallocate), so that a full disk fails here.
  explicit DurableFile(std::filesystem::path path, int64_t expected_bytes = 0);
  ~DurableFile();
  DurableFile(const DurableFile&) = delete;
  DurableFile& operator=(const DurableFile&) = delete;

  void write(const void* data, size_t size);
  void write(std::string_view text) { write(text.data(), text.size()); }
  // Overwrites bytes already written, for headers known only at the end.
  void write_at(int64_t offset, const void* data, size_t size);
  int64_t size() const { return size_; }

  // fsync, rename over the final path, fsync of the folder.
  void commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
  int64_t size_ = 0;
  int64_t reserved_ = 0;
};

// Writes a whole small file through DurableFile.
void write_file_durably(const std::filesystem::path& path, std::string_view content);

// Appends one line to a log-like file (metrics, ledger); the line is written with one write call.
class AppendFile {
 public:
  explicit AppendFile(const std::filesystem::path& path);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  // Adds the newline. Returns false when the line could not be written whole (disk full, closed
  // pipe): a record that cannot be kept must not end a run.
  bool append_line(std::string_view line) noexcept;
  void sync() noexcept;

 private:
  int descriptor_ = -1;
};

// A read-only memory map of a whole file. Throws IoError when it cannot be opened.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  MappedFile& operator=(MappedFile&&) = delete;

  const std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }

 private:
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// The whole file. Throws IoError naming the path and the reason, or when it is over `max_bytes`.
std::string read_file(const std::filesystem::path& path, int64_t max_bytes = INT64_C(1) << 40);

// Makes the folder and its parents. Throws IoError.
void make_folders(const std::filesystem::path& folder);

void sync_folder(const std::filesystem::path& folder);

// Free bytes for this user on the file system of `path` (or of its nearest parent that exists).
int64_t free_disk_bytes(std::filesystem::path path);

// Empty when files can be made in `folder` (or, where it does not exist yet, in its nearest parent
// that does); else the reason. Leaves nothing behind.
std::string why_not_writable(std::filesystem::path folder);

}  // namespace lmtrain
