#include "base/durable_file.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const char* what, const fs::path& path) {
  const int error = errno;
  throw IoError(cat("cannot ", what, " ", path.string(), ": ", std::strerror(error)));
}

fs::path nearest_existing(fs::path path) {
  path = fs::absolute(path);
  std::error_code ignored;
  while (!fs::exists(path, ignored) && path.has_relative_path()) path = path.parent_path();
  return path;
}

// Where files are mapped. A handler of signals reads it, which may neither lock nor allocate.
struct Mapping {
  std::atomic<const std::byte*> begin = nullptr;  // null: the slot is free
  size_t size = 0;
  std::array<char, 1024> path = {};
};
std::array<Mapping, 256> mappings;
std::mutex mappings_mutex;

// Ends the process with a line where the memory of a mapped file has no file behind it any more.
void on_bus_error(int, siginfo_t* info, void*) {
  const auto* const at = static_cast<const std::byte*>(info->si_addr);
  for (const Mapping& mapping : mappings) {
    const std::byte* const begin = mapping.begin.load(std::memory_order_acquire);
    if (begin == nullptr || at < begin || at >= begin + mapping.size) continue;
    for (const char* const part : {"error ", mapping.path.data(),
                                   " was cut short, or its disk failed, while it was being read; "
                                   "restore it and start again\n"}) {
      if (::write(STDERR_FILENO, part, std::strlen(part)) < 0) break;
    }
    _exit(static_cast<int>(ExitCode::kIo));
  }
  std::signal(SIGBUS, SIG_DFL);  // not of a mapped file: the access fails again, and that ends it
}

void add_mapping(const fs::path& path, const std::byte* begin, size_t size) {
  static std::once_flag handled;
  std::call_once(handled, [] {
    struct sigaction action = {};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGBUS, &action, nullptr);
  });
  const std::lock_guard lock(mappings_mutex);
  for (Mapping& mapping : mappings) {
    if (mapping.begin != nullptr) continue;
    mapping.size = size;
    const std::string& text = path.native();
    text.copy(mapping.path.data(), mapping.path.size() - 1);
    mapping.path[std::min(text.size(), mapping.path.size() - 1)] = '\0';
    mapping.begin.store(begin, std::memory_order_release);
    return;
  }
}

void remove_mapping(const std::byte* begin) {
  const std::lock_guard lock(mappings_mutex);
  for (Mapping& mapping : mappings) {
    if (mapping.begin == begin) mapping.begin = nullptr;
  }
}

// Closes a file descriptor on every way out.
struct Closing {
  int descriptor;
  ~Closing() { close(descriptor); }
};

constexpr size_t kLargestReadWhole = size_t{64} << 10;

IoError not_a_file(const fs::path& path) {
  return IoError(cat(path.string(), " is no regular file (a pipe or a device); remove it"));
}

}  // namespace

DurableFile::DurableFile(fs::path path, int64_t expected_bytes)
    : path_(std::move(path)),
      temporary_(path_.string() + ".tmp." + std::to_string(getpid())),
      reserved_(expected_bytes) {
  // The rename at the end would put a file in place of a device.
  struct stat there = {};
  if (lstat(path_.c_str(), &there) == 0 && !S_ISREG(there.st_mode) && !S_ISLNK(there.st_mode)) {
    throw IoError(
        cat("cannot write ", path_.string(), ": it is a folder, a device or a pipe; name a file"));
  }
  // A file or link that lies there is not written through.
  unlink(temporary_.c_str());
  descriptor_ = open(temporary_.c_str(), O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR | O_CLOEXEC, 0644);
  if (descriptor_ < 0) fail("create", temporary_);
  if (expected_bytes > 0) {
    const int error = posix_fallocate(descriptor_, 0, expected_bytes);
    if (error != 0 && error != EOPNOTSUPP && error != EINVAL) {
      close(descriptor_);
      unlink(temporary_.c_str());
      errno = error;
      fail(cat("reserve ", human_bytes(expected_bytes), " for").c_str(), temporary_);
    }
  }
}

DurableFile::~DurableFile() {
  if (descriptor_ < 0) return;
  close(descriptor_);
  unlink(temporary_.c_str());
}

void DurableFile::write_at(int64_t offset, const void* data, size_t size) {
  const char* from = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t written = pwrite(descriptor_, from, size, offset);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail("write", temporary_);
    from += written;
    offset += written;
    size -= static_cast<size_t>(written);
  }
}

void DurableFile::write(const void* data, size_t size) {
  write_at(size_, data, size);
  // The disk begins at once: fsync then finds little left, and the system does not slow the writer
  // down for the many pages that wait.
  constexpr size_t kLarge = size_t{1} << 20;
  if (size >= kLarge)
    sync_file_range(descriptor_, size_, static_cast<off64_t>(size), SYNC_FILE_RANGE_WRITE);
  size_ += static_cast<int64_t>(size);
}

void DurableFile::commit() {
  if (reserved_ > size_ && ftruncate(descriptor_, size_) != 0) fail("truncate", temporary_);
  if (fsync(descriptor_) != 0) fail("fsync", temporary_);
  const int closed = close(std::exchange(descriptor_, -1));
  if (closed != 0 || rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int error = errno;
    unlink(temporary_.c_str());
    errno = error;
    fail("put in place", path_);
  }
  sync_folder(path_.parent_path());
}

void write_file_durably(const fs::path& path, std::string_view content) {
  DurableFile file(path);
  file.write(content);
  file.commit();
}

void require_own_file(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(path, error);
  if (fs::is_symlink(status))
    throw IoError(
        cat(path.string(), " is a link, and lmtrain does not write through it; remove it"));
  if (fs::is_fifo(status) || fs::is_socket(status)) throw not_a_file(path);
}

AppendFile::AppendFile(const fs::path& path) {
  require_own_file(path);
  descriptor_ = open(path.c_str(), O_CREAT | O_APPEND | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0644);
  if (descriptor_ < 0) fail("open", path);
}

AppendFile::~AppendFile() { close(descriptor_); }

bool AppendFile::append_line(std::string_view line) noexcept {
  try {
    std::string text(line);
    text += '\n';
    return ::write(descriptor_, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  } catch (const std::bad_alloc&) {
    return false;
  }
}

void AppendFile::sync() noexcept { fdatasync(descriptor_); }

fs::path set_aside(const fs::path& path) {
  std::error_code error;
  for (int number = 1; number < 10000; ++number) {
    const fs::path to = path.string() + (number == 1 ? ".damaged" : cat(".damaged-", number));
    if (fs::exists(fs::symlink_status(to, error))) continue;
    fs::rename(path, to, error);
    if (error)
      throw IoError(cat("cannot move ", path.string(), " to ", to.string(), ": ", error.message()));
    return to;
  }
  throw IoError(cat("cannot move ", path.string(), " aside: too many files like ", path.string(),
                    ".damaged are there"));
}

MappedFile::MappedFile(const fs::path& path) {
  // Without O_NONBLOCK a pipe that nobody writes to would hold the program up for ever.
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) fail("open", path);
  const Closing closing{descriptor};
  struct stat status = {};
  if (fstat(descriptor, &status) != 0) fail("read", path);
  if (S_ISDIR(status.st_mode)) {
    errno = EISDIR;
    fail("read", path);
  }
  if (!S_ISREG(status.st_mode)) throw not_a_file(path);
  size_ = static_cast<size_t>(status.st_size);
  if (size_ == 0) return;
  if (size_ > kLargestReadWhole) {
    void* mapped = mmap(nullptr, size_, PROT_READ, MAP_SHARED, descriptor, 0);
    if (mapped == MAP_FAILED) fail("map", path);
    data_ = static_cast<const std::byte*>(mapped);
    add_mapping(path, data_, size_);
    return;
  }
  read_ = std::make_unique<std::byte[]>(size_);
  data_ = read_.get();
  for (size_t at = 0; at < size_;) {
    const ssize_t count = read(descriptor, read_.get() + at, size_ - at);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("read", path);
    if (count == 0) throw IoError(cat(path.string(), " was cut short while it was being read"));
    at += static_cast<size_t>(count);
  }
}

MappedFile::~MappedFile() {
  if (data_ == nullptr || read_ != nullptr) return;
  remove_mapping(data_);
  munmap(const_cast<std::byte*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      read_(std::move(other.read_)) {}

std::string read_file(const fs::path& path, int64_t max_bytes) {
  const MappedFile file(path);
  if (static_cast<int64_t>(file.size()) > max_bytes) {
    throw IoError(cat(path.string(), " has ", human_bytes(static_cast<int64_t>(file.size())),
                      ", more than the ", human_bytes(max_bytes), " allowed"));
  }
  return std::string(file.text());
}

void make_folders(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> missing;
  for (fs::path at = folder; !at.empty() && !fs::exists(at, error); at = at.parent_path())
    missing.push_back(at);
  fs::create_directories(folder, error);
  if (error) throw IoError(cat("cannot make the folder ", folder.string(), ": ", error.message()));
  // A loss of power must not take the names of folders whose content has been synced.
  for (const fs::path& made : missing) sync_folder(made.parent_path());
}

void sync_folder(const fs::path& folder) {
  const fs::path path = folder.empty() ? fs::path(".") : folder;
  const int descriptor = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) fail("open the folder", path);
  const int result = fsync(descriptor);
  close(descriptor);
  if (result != 0) fail("fsync the folder", path);
}

void sync_records(const fs::path& file) noexcept {
  const int descriptor = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return;
  fsync(descriptor);
  close(descriptor);
}

int64_t free_disk_bytes(fs::path path) {
  path = nearest_existing(std::move(path));
  struct statvfs status = {};
  if (statvfs(path.c_str(), &status) != 0) fail("ask for the free space of", path);
  return static_cast<int64_t>(status.f_bavail) * static_cast<int64_t>(status.f_frsize);
}

std::string hint_on_downloads(const fs::path& path) {
  std::error_code ignored;
  const std::string name = path.string();
  const bool looks_like_name = !name.empty() && std::ranges::count(name, '/') <= 1 &&
                               name.find_first_of(".~") != 0 && name.front() != '/' &&
                               !name.starts_with("runs/");
  if (!looks_like_name || fs::exists(path, ignored)) return "";
  return cat("; lmtrain downloads nothing: `hf download ", name, " --local-dir ",
             path.filename().string(),
             "` of the package huggingface_hub gets a model of that name");
}

std::string why_not_writable(fs::path folder) {
  std::error_code error;
  if (fs::status(folder, error).type() == fs::file_type::none) return error.message();
  folder = nearest_existing(std::move(folder));
  if (!fs::is_directory(folder)) return folder.string() + " is not a folder";
  std::string probe = (folder / ".lmtrain-probe-XXXXXX").string();
  const int descriptor = mkstemp(probe.data());
  if (descriptor < 0) return cat("cannot write in ", folder.string(), ": ", std::strerror(errno));
  close(descriptor);
  unlink(probe.c_str());
  return "";
}

}  // namespace lmtrain
