// A library to be loaded before libc (LD_PRELOAD) that makes the file system fail at one call. It
// sees the calls that change a path below FAULTY_IO_BELOW, counts them over all threads, and at
// call number FAULTY_IO_AT of rank FAULTY_IO_RANK (any without it) does FAULTY_IO_DO:
//   kill     kills the process before the call
//   ENOSPC, EIO, EDQUOT   the call fails with this error; with FAULTY_IO_ONWARDS all later ones do
//   lie      a write says that it was done, and was not
//   flip     a write changes one bit
//   short    a write writes half
//   hang     the call never returns, nor does any other from then on
//   count    nothing
// With FAULTY_IO_NO_LOCKS flock fails as where a file system has no locks.
// FAULTY_IO_CALLS names the calls that count, such as "fsync,pwrite"; all without it. With
// FAULTY_IO_WHEN they count only while that file is there. At the end of the
// process the number of calls is written to FAULTY_IO_COUNT.RANK. With FAULTY_IO_RECORD each call
// and what it writes is appended to that file, in hexadecimal, for power_loss.py.
#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

template <class Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

std::string setting(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

struct Settings {
  std::string below = setting("FAULTY_IO_BELOW");
  std::string what = setting("FAULTY_IO_DO");
  std::string calls = setting("FAULTY_IO_CALLS");
  std::string when = setting("FAULTY_IO_WHEN");
  std::string rank = setting("FAULTY_IO_RANK");
  std::string own_rank = setting("OMPI_COMM_WORLD_RANK");
  std::string count_file = setting("FAULTY_IO_COUNT");
  std::string record = setting("FAULTY_IO_RECORD");
  int64_t at = std::atoll(setting("FAULTY_IO_AT").c_str());
  bool onwards = !setting("FAULTY_IO_ONWARDS").empty();

  bool is_of_this_rank() const { return rank.empty() || rank == own_rank || own_rank.empty(); }
};

const Settings& settings() {
  static const Settings* const all = new Settings;  // there until the last thread has ended
  return *all;
}

std::recursive_mutex& mutex() {
  static auto* const one = new std::recursive_mutex;
  return *one;
}
std::atomic<int64_t> num_calls{0};

std::string path_of(int descriptor) {
  char link[64];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  char path[PATH_MAX];
  const ssize_t length = readlink(link, path, sizeof path);
  return length > 0 ? std::string(path, static_cast<size_t>(length)) : "";
}

std::string absolute(int folder, const char* path) {
  if (path[0] == '/') return path;
  if (folder != AT_FDCWD) return path_of(folder) + "/" + path;
  char here[PATH_MAX];
  return getcwd(here, sizeof here) != nullptr ? std::string(here) + "/" + path : path;
}

bool is_below(const std::string& path) {
  const std::string& root = settings().below;
  return !root.empty() && path.compare(0, root.size(), root) == 0 &&
         (path.size() == root.size() || path[root.size()] == '/');
}

enum class Fault { kNone, kError, kLie, kFlip, kShort };

// One call that changes something, whose turn it is. The calls of all threads follow one another,
// so that a record has their order.
class Call {
 public:
  Call(const char* name, const std::string& path) : lock_(mutex()), name_(name), path_(path) {
    const Settings& all = settings();
    is_seen_ = is_below(path);
    if (!is_seen_) return;
    const bool counts =
        all.calls.empty() ||
        ("," + all.calls + ",").find("," + std::string(name) + ",") != std::string::npos;
    if (!counts || !(all.when.empty() || access(all.when.c_str(), F_OK) == 0)) return;
    const int64_t number = ++num_calls;
    const bool is_due = all.at > 0 && (number == all.at || (all.onwards && number > all.at)) &&
                        all.is_of_this_rank();
    if (!is_due) return;
    if (all.what == "kill") kill(getpid(), SIGKILL);
    if (all.what == "hang") {
      lock_.unlock();  // what other threads write elsewhere goes on
      for (;;) pause();
    }
    if (all.what == "lie") fault_ = Fault::kLie;
    if (all.what == "flip") fault_ = Fault::kFlip;
    if (all.what == "short") fault_ = Fault::kShort;
    for (const auto& [text, error] :
         {std::pair{"ENOSPC", ENOSPC}, std::pair{"EIO", EIO}, std::pair{"EDQUOT", EDQUOT}}) {
      if (all.what != text) continue;
      fault_ = Fault::kError;
      errno_ = error;
    }
  }

  bool fails() const {
    if (fault_ == Fault::kError) errno = errno_;
    return fault_ == Fault::kError;
  }
  Fault fault() const { return fault_; }

  // What was done, for the record.
  void done(const std::string& arguments = "", const void* data = nullptr, size_t size = 0) const {
    if (!is_seen_ || settings().record.empty()) return;
    const int kept = errno;
    std::string line = std::string(name_) + "\t" + path_ + "\t" + arguments + "\t";
    constexpr char kDigits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; ++i) {
      const auto byte = static_cast<const uint8_t*>(data)[i];
      line += kDigits[byte >> 4];
      line += kDigits[byte & 15];
    }
    line += "\n";
    static const int log = real<int(const char*, int, ...)>("open")(
        settings().record.c_str(), O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0644);
    if (real<ssize_t(int, const void*, size_t)>("write")(log, line.data(), line.size()) < 0)
      std::abort();
    errno = kept;
  }

 private:
  std::unique_lock<std::recursive_mutex> lock_;
  const char* name_;
  std::string path_;
  bool is_seen_ = false;
  Fault fault_ = Fault::kNone;
  int errno_ = 0;
};

bool exists(const std::string& path) {
  struct stat status = {};
  return lstat(path.c_str(), &status) == 0;
}

int open_at(int folder, const char* path, int flags, mode_t mode) {
  static auto* const call = real<int(int, const char*, int, ...)>("openat");
  const bool writes = (flags & (O_CREAT | O_TRUNC)) != 0;
  if (!writes) return call(folder, path, flags, mode);
  const std::string place = absolute(folder, path);
  const Call one("create", place);
  if (one.fails()) return -1;
  const bool was_there = exists(place);
  const int result = call(folder, path, flags, mode);
  if (result >= 0 && (!was_there || (flags & O_TRUNC) != 0)) one.done();
  return result;
}

// Writes with the fault that the call has. `write` writes so many of these bytes.
template <class Write>
ssize_t write_with(const Call& one, const void* data, size_t size, const Write& write) {
  if (one.fails()) return -1;
  if (one.fault() == Fault::kLie) return static_cast<ssize_t>(size);
  if (one.fault() == Fault::kShort) return write(data, (size + 1) / 2);
  if (one.fault() != Fault::kFlip || size == 0) return write(data, size);
  std::vector<char> changed(static_cast<const char*>(data), static_cast<const char*>(data) + size);
  changed[size / 2] = static_cast<char>(changed[size / 2] ^ 1);
  return write(changed.data(), size);
}

template <class Result, class Work>
Result with_record(const Call& one, const std::string& arguments, const Work& work) {
  if (one.fails()) return -1;
  const Result result = work();
  if (result == 0) one.done(arguments);
  return result;
}

__attribute__((destructor)) void write_count() {
  const Settings& all = settings();
  if (all.count_file.empty() || num_calls == 0) return;  // mpirun itself makes none
  const std::string path = all.count_file + "." + (all.own_rank.empty() ? "0" : all.own_rank);
  if (FILE* file = std::fopen(path.c_str(), "w")) {
    std::fprintf(file, "%lld\n", static_cast<long long>(num_calls.load()));
    std::fclose(file);
  }
}

mode_t mode_of(int flags, va_list list) {
  return (flags & O_CREAT) != 0 ? static_cast<mode_t>(va_arg(list, int)) : 0;
}

}  // namespace

extern "C" {

int flock(int descriptor, int operation) noexcept {
  if (!setting("FAULTY_IO_NO_LOCKS").empty()) {
    errno = ENOSYS;
    return -1;
  }
  return real<int(int, int)>("flock")(descriptor, operation);
}

int open(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = mode_of(flags, list);
  va_end(list);
  return open_at(AT_FDCWD, path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = mode_of(flags, list);
  va_end(list);
  return open_at(AT_FDCWD, path, flags, mode);
}
int openat(int folder, const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = mode_of(flags, list);
  va_end(list);
  return open_at(folder, path, flags, mode);
}
int openat64(int folder, const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = mode_of(flags, list);
  va_end(list);
  return open_at(folder, path, flags, mode);
}

ssize_t write(int descriptor, const void* data, size_t size) {
  static auto* const call = real<ssize_t(int, const void*, size_t)>("write");
  if (settings().below.empty()) return call(descriptor, data, size);
  const Call one("write", path_of(descriptor));
  const ssize_t result = write_with(one, data, size, [&](const void* from, size_t count) {
    return call(descriptor, from, count);
  });
  if (result > 0) one.done("end", data, static_cast<size_t>(result));
  return result;
}

static ssize_t write_at(int descriptor, const void* data, size_t size, off_t offset) {
  static auto* const call = real<ssize_t(int, const void*, size_t, off_t)>("pwrite");
  const Call one("pwrite", path_of(descriptor));
  const ssize_t result = write_with(one, data, size, [&](const void* from, size_t count) {
    return call(descriptor, from, count, offset);
  });
  if (result > 0) one.done(std::to_string(offset), data, static_cast<size_t>(result));
  return result;
}
ssize_t pwrite(int descriptor, const void* data, size_t size, off_t offset) {
  return write_at(descriptor, data, size, offset);
}
ssize_t pwrite64(int descriptor, const void* data, size_t size, off64_t offset) {
  return write_at(descriptor, data, size, offset);
}

int fsync(int descriptor) {
  static auto* const call = real<int(int)>("fsync");
  const Call one("fsync", path_of(descriptor));
  return with_record<int>(one, "", [&] { return call(descriptor); });
}
int fdatasync(int descriptor) {
  static auto* const call = real<int(int)>("fdatasync");
  const Call one("fdatasync", path_of(descriptor));
  return with_record<int>(one, "", [&] { return call(descriptor); });
}

int ftruncate(int descriptor, off_t size) {
  static auto* const call = real<int(int, off_t)>("ftruncate");
  const Call one("ftruncate", path_of(descriptor));
  return with_record<int>(one, std::to_string(size), [&] { return call(descriptor, size); });
}
int ftruncate64(int descriptor, off64_t size) { return ftruncate(descriptor, size); }

int posix_fallocate(int descriptor, off_t offset, off_t size) {
  static auto* const call = real<int(int, off_t, off_t)>("posix_fallocate");
  const Call one("fallocate", path_of(descriptor));
  if (one.fails()) return errno;
  const int result = call(descriptor, offset, size);
  if (result == 0) one.done(std::to_string(offset + size));
  return result;
}
int posix_fallocate64(int descriptor, off64_t offset, off64_t size) {
  return posix_fallocate(descriptor, offset, size);
}

int rename(const char* from, const char* to) {
  static auto* const call = real<int(const char*, const char*)>("rename");
  const Call one("rename", absolute(AT_FDCWD, from));
  return with_record<int>(one, absolute(AT_FDCWD, to), [&] { return call(from, to); });
}
int renameat2(int from_folder, const char* from, int to_folder, const char* to,
              unsigned flags) noexcept {
  static auto* const call = real<int(int, const char*, int, const char*, unsigned)>("renameat2");
  const Call one(flags != 0 ? "exchange" : "rename", absolute(from_folder, from));
  return with_record<int>(one, absolute(to_folder, to),
                          [&] { return call(from_folder, from, to_folder, to, flags); });
}

int unlink(const char* path) noexcept {
  static auto* const call = real<int(const char*)>("unlink");
  const Call one("unlink", absolute(AT_FDCWD, path));
  return with_record<int>(one, "", [&] { return call(path); });
}
int rmdir(const char* path) noexcept {
  static auto* const call = real<int(const char*)>("rmdir");
  const Call one("unlink", absolute(AT_FDCWD, path));
  return with_record<int>(one, "", [&] { return call(path); });
}
int unlinkat(int folder, const char* path, int flags) noexcept {
  static auto* const call = real<int(int, const char*, int)>("unlinkat");
  const Call one("unlink", absolute(folder, path));
  return with_record<int>(one, "", [&] { return call(folder, path, flags); });
}
int remove(const char* path) noexcept {
  static auto* const call = real<int(const char*)>("remove");
  const Call one("unlink", absolute(AT_FDCWD, path));
  return with_record<int>(one, "", [&] { return call(path); });
}

int mkdir(const char* path, mode_t mode) noexcept {
  static auto* const call = real<int(const char*, mode_t)>("mkdir");
  const Call one("mkdir", absolute(AT_FDCWD, path));
  return with_record<int>(one, "", [&] { return call(path, mode); });
}

}  // extern "C"
