// The inner kernel of dropout: each call makes 128 numbers of 16 bits. Only philox*.cpp includes
// this header.
#pragma once

#include <cstdint>

#include "base/philox.h"

namespace lmtrain {

namespace philox_constants {
constexpr uint32_t kMultiplier0 = 0xD2511F53;
constexpr uint32_t kMultiplier1 = 0xCD9E8D57;
constexpr uint32_t kWeyl0 = 0x9E3779B9;
constexpr uint32_t kWeyl1 = 0xBB67AE85;
constexpr int kRounds = 10;
}  // namespace philox_constants

inline constexpr int kBlockElements = 128;

// Writes the numbers of 16 consecutive counters (c0 .. c0+15, row, plane, sample). Element
// 8 j + 2 w + h is half h of word w of counter c0 + j. `out` has kBlockElements elements.
using DropoutBlockFunction = void (*)(PhiloxKey key, uint32_t c0, uint32_t row, uint32_t plane,
                                      uint32_t sample, uint16_t* out);

// A DropoutBlockFunction in AVX-512. The caller must check that the processor has AVX-512.
void avx512_dropout_block(PhiloxKey key, uint32_t c0, uint32_t row, uint32_t plane, uint32_t sample,
                          uint16_t* out);

}  // namespace lmtrain
