// Files that survive a crash: every write is checked, then come fsync, rename and
// fsync of the folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lmtrain {

// A file written beside its final place ("PATH.tmp.PID") and moved there by commit(). Without
// commit() the temporary file is removed and PATH stays as it was. Every failure throws IoError
// naming the path, and so does a path that is a folder, a device or a pipe. A link is replaced.
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

  // Calls fsync, renames the file over its final path, and calls fsync on the folder.
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

// Appends lines to a log-like file (metrics, ledger). Each line is written with one write call.
class AppendFile {
 public:
  explicit AppendFile(const std::filesystem::path& path);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  // Adds the newline. Returns false, instead of throwing, when the line could not be written whole
  // (disk full, closed pipe): a record that cannot be kept must not end a run.
  bool append_line(std::string_view line) noexcept;
  void sync() noexcept;

 private:
  int descriptor_ = -1;
};

// Moves a damaged file to "PATH.damaged", or "PATH.damaged-2" and so on where that is taken, and
// returns the new path. Throws IoError.
std::filesystem::path set_aside(const std::filesystem::path& path);

// A whole file, read only: small ones are read into memory, because a process may hold only some
// ten thousand maps, larger ones are mapped. Throws IoError when it cannot be opened. Where a
// mapped file is cut short while it is read, the process ends with ExitCode::kIo and a line that
// names the file; the kernel leaves no other way.
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
  std::unique_ptr<std::byte[]> read_;  // the content of a small file; null where it is mapped
};

// Returns the whole file. Throws IoError naming the path and the reason, also when the file is
// larger than `max_bytes`.
std::string read_file(const std::filesystem::path& path, int64_t max_bytes = INT64_C(4) << 30);

// Throws IoError where `path` is a link, or a pipe, which would hold up what writes records.
void require_own_file(const std::filesystem::path& path);

// For messages: how to get a model whose name was given ("gpt2", "Qwen/Qwen2.5-0.5B") where a
// folder is wanted. "" where the path is there, or does not look like such a name.
std::string hint_on_downloads(const std::filesystem::path& path);

// Makes the folder and its parents, and syncs their names to the disk. Throws IoError.
void make_folders(const std::filesystem::path& folder);

void sync_folder(const std::filesystem::path& folder);
// Forces to disk what has been written to a file of records, by whatever descriptor. Does nothing
// where it cannot, as AppendFile does.
void sync_records(const std::filesystem::path& file) noexcept;

// Free bytes for this user on the file system of `path` (or of its nearest parent that exists).
int64_t free_disk_bytes(std::filesystem::path path);

// Returns "" when files can be made in `folder` (or, if it does not exist yet, in its nearest
// existing parent), otherwise the reason. Removes the file that it tries this with.
std::string why_not_writable(std::filesystem::path folder);

}  // namespace lmtrain
