#include "base/system_file.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <strings.h>
#include <unistd.h>

#include "base/text.h"

namespace lmtrain {
namespace {

constexpr size_t kMaxBytes = 16 << 20;

}  // namespace

SystemText read_system_text(const std::filesystem::path& path) {
  // A pipe without a writer must not hold anybody up.
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return {std::nullopt, std::strerror(errno)};
  std::string text;
  char buffer[4096];
  ssize_t size = 0;
  while (text.size() < kMaxBytes && (size = ::read(descriptor, buffer, sizeof buffer)) != 0) {
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) break;
    text.append(buffer, static_cast<size_t>(size));
  }
  const int error = size < 0 ? errno : 0;
  close(descriptor);
  if (error != 0) return {std::nullopt, std::strerror(error)};
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return {text, ""};
}

std::optional<uint64_t> parse_whole_number(std::string_view text) {
  uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || at != end) return std::nullopt;
  return value;
}

SystemNumber read_system_number(const std::filesystem::path& path) {
  const SystemText file = read_system_text(path);
  if (!file.text) return {std::nullopt, cat(path.string(), ": ", file.failure)};
  const std::optional<uint64_t> value = parse_whole_number(*file.text);
  if (value) return {value, ""};
  return {std::nullopt, cat(path.string(), ": \"", file.text->substr(0, 32), "\" is not a number")};
}

std::string write_system_number(const std::filesystem::path& path, uint64_t value) {
  // What is not there is no setting, and is not made.
  const int descriptor = open(path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
  if (descriptor < 0) return cat(path.string(), ": ", std::strerror(errno));
  const std::string text = cat(value, "\n");
  const ssize_t size = ::write(descriptor, text.data(), text.size());
  const int error = size == std::ssize(text) ? 0 : size < 0 ? errno : EIO;
  close(descriptor);
  return error == 0 ? "" : cat(path.string(), ": ", std::strerror(error));
}

ProcFile::ProcFile(const std::filesystem::path& path)
    : descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}

ProcFile::~ProcFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

std::string_view ProcFile::read() {
  constexpr size_t kChunk = 4096;
  if (descriptor_ < 0) return "";
  size_t size = 0;
  while (size < kMaxBytes) {
    if (text_.size() < size + kChunk) text_.resize(size + kChunk);
    const ssize_t got =
        pread(descriptor_, text_.data() + size, text_.size() - size, static_cast<off_t>(size));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return "";
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  return std::string_view(text_).substr(0, size);
}

std::optional<int64_t> cut_number(std::string_view& rest) {
  constexpr const char* kSpaces = " \t\n";
  rest.remove_prefix(std::min(rest.size(), rest.find_first_not_of(kSpaces)));
  const std::string_view word = rest.substr(0, rest.find_first_of(kSpaces));
  rest.remove_prefix(word.size());
  int64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size() || value < 0) return std::nullopt;
  return value;
}

std::optional<int64_t> named_number(std::string_view text, std::string_view name) {
  while (!text.empty()) {
    std::string_view line = cut_line(text);
    if (!line.starts_with(name)) continue;
    line.remove_prefix(name.size());
    if (line.starts_with(':'))
      line.remove_prefix(1);
    else if (!line.starts_with(' '))
      continue;
    return cut_number(line);
  }
  return std::nullopt;
}

std::vector<std::filesystem::path> sorted_entries(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> entries;
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    entries.push_back(at->path());
  }
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return strverscmp(a.filename().c_str(), b.filename().c_str()) < 0;
  });
  return entries;
}

}  // namespace lmtrain
