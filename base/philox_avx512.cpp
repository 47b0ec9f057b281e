// Compiled with -mavx512f and called only where the processor has it. Uses no inline function of
// the standard library: the linker could keep this file's copy of it for the whole program.
#include <immintrin.h>

#include "base/philox_block.h"

namespace lmtrain {
namespace {

__m512i all(uint32_t x) { return _mm512_set1_epi32(static_cast<int>(x)); }

// High and low halves of the 32 x 32 bit products of 16 lanes.
void multiply(__m512i a, uint32_t multiplier, __m512i& high, __m512i& low) {
  const __mmask16 odd_lanes = 0xAAAA;
  const __m512i even = _mm512_mul_epu32(a, all(multiplier));
  const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(a, 32), all(multiplier));
  high = _mm512_mask_blend_epi32(odd_lanes, _mm512_srli_epi64(even, 32), odd);
  low = _mm512_mask_blend_epi32(odd_lanes, even, _mm512_slli_epi64(odd, 32));
}

// Stores the four counters of a group: lane group q holds counter 4 q + g.
void store(__m512i group, int g, uint16_t* out) {
  __m128i* to = reinterpret_cast<__m128i*>(out) + g;
  _mm_storeu_si128(to, _mm512_extracti32x4_epi32(group, 0));
  _mm_storeu_si128(to + 4, _mm512_extracti32x4_epi32(group, 1));
  _mm_storeu_si128(to + 8, _mm512_extracti32x4_epi32(group, 2));
  _mm_storeu_si128(to + 12, _mm512_extracti32x4_epi32(group, 3));
}

}  // namespace

void avx512_dropout_block(PhiloxKey key, uint32_t c0, uint32_t row, uint32_t plane, uint32_t sample,
                          uint16_t* out) {
  using namespace philox_constants;
  const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  __m512i x0 = _mm512_add_epi32(all(c0), lane);
  __m512i x1 = all(row);
  __m512i x2 = all(plane);
  __m512i x3 = all(sample);
  for (int round = 0; round < kRounds; ++round) {
    __m512i high0;
    __m512i low0;
    __m512i high1;
    __m512i low1;
    multiply(x0, kMultiplier0, high0, low0);
    multiply(x2, kMultiplier1, high1, low1);
    x0 = _mm512_xor_si512(_mm512_xor_si512(high1, x1), all(key.k0));
    x2 = _mm512_xor_si512(_mm512_xor_si512(high0, x3), all(key.k1));
    x1 = low1;
    x3 = low0;
    key.k0 += kWeyl0;
    key.k1 += kWeyl1;
  }
  const __m512i a = _mm512_unpacklo_epi32(x0, x1);
  const __m512i b = _mm512_unpackhi_epi32(x0, x1);
  const __m512i c = _mm512_unpacklo_epi32(x2, x3);
  const __m512i d = _mm512_unpackhi_epi32(x2, x3);
  store(_mm512_unpacklo_epi64(a, c), 0, out);
  store(_mm512_unpackhi_epi64(a, c), 1, out);
  store(_mm512_unpacklo_epi64(b, d), 2, out);
  store(_mm512_unpackhi_epi64(b, d), 3, out);
}

}  // namespace lmtrain
