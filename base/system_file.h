// Reads small files of /sys and /proc whole, and gives the reason when that fails.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lmtrain {

struct SystemText {
  std::optional<std::string> text;  // without the newline at its end
  std::string failure;              // why there is no text: "Permission denied"
};
// Reads at most 16 MiB (/proc/cpuinfo of a large node has about one).
SystemText read_system_text(const std::filesystem::path& path);

// The number that `text` spells, if it consists of digits only and fits.
std::optional<uint64_t> parse_whole_number(std::string_view text);

struct SystemNumber {
  std::optional<uint64_t> value;
  std::string failure;  // why there is no value; names the file
};
// Reads a file that holds one whole number, which is not negative, and nothing else.
SystemNumber read_system_number(const std::filesystem::path& path);

// Writes a setting of the system. Returns why it failed, with the file, or "".
std::string write_system_number(const std::filesystem::path& path, uint64_t value);

// A file of /proc that is read many times a second. It stays open: opening it would take as long as
// reading it.
class ProcFile {
 public:
  explicit ProcFile(const std::filesystem::path& path);
  ~ProcFile();
  ProcFile(const ProcFile&) = delete;
  ProcFile& operator=(const ProcFile&) = delete;

  // What it holds now, until the next call; empty when it cannot be read.
  std::string_view read();

 private:
  int descriptor_;
  std::string text_;
};

// Removes the next word from `rest`, and returns it as a number if it is one that is not negative.
std::optional<int64_t> cut_number(std::string_view& rest);
// The number after `name` in a text with lines "name: 12 kB" or "name 12".
std::optional<int64_t> named_number(std::string_view text, std::string_view name);

// The entries of a folder by name; hwmon2 comes before hwmon10. Empty when it cannot be read.
std::vector<std::filesystem::path> sorted_entries(const std::filesystem::path& folder);

}  // namespace lmtrain
