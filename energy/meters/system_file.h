// Reads small files of /sys and /proc whole, and gives the reason when that fails.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
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

// The values of PROCFS/meminfo in bytes, by name ("MemTotal"). Empty when it cannot be read.
std::map<std::string, int64_t> read_meminfo(const std::filesystem::path& procfs);

// The entries of a folder by name; hwmon2 comes before hwmon10. Empty when it cannot be read.
std::vector<std::filesystem::path> sorted_entries(const std::filesystem::path& folder);

}  // namespace lmtrain
