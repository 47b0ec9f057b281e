// Small files of /sys and /proc: read whole, with the reason when that fails.
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
  std::string failure;              // "Permission denied", when there is no text
};
// Reads at most 16 MiB (/proc/cpuinfo of a large node has about one).
SystemText read_system_text(const std::filesystem::path& path);

// The number that `text` spells in digits alone, if it does and fits.
std::optional<uint64_t> parse_whole_number(std::string_view text);

struct SystemNumber {
  std::optional<uint64_t> value;
  std::string failure;  // names the file
};
// A file that holds one whole number, not negative, and nothing else.
SystemNumber read_system_number(const std::filesystem::path& path);

// Entries of a folder by name, with numbers in them ordered as numbers (hwmon2 before hwmon10);
// none when it cannot be read.
std::vector<std::filesystem::path> sorted_entries(const std::filesystem::path& folder);

}  // namespace lmtrain
