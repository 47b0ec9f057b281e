// The alphabet in which byte-level tokens are written: each of the 256 bytes as one printable
// character (GPT-2, Radford et al. 2019). Printable Latin-1 stands for itself; the 68 other bytes
// are U+0100 onwards in the order of their values, so a space is U+0120.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace lmtrain {

// Writes bytes in the alphabet: " the" becomes "Ġthe".
std::string write_byte_alphabet(std::string_view bytes);

// Reads bytes back: "Ġthe" becomes " the". Text with a character outside the
// alphabet is returned unchanged.
std::string read_byte_alphabet(std::string_view text);

// Returns all 256 bytes in the order of their characters' code points.
std::array<uint8_t, 256> bytes_by_code_point();

}  // namespace lmtrain
