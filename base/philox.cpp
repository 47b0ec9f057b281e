#include "base/philox.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/hash.h"
#include "base/philox_block.h"

namespace lmtrain {
namespace {

using namespace philox_constants;

void portable_block(PhiloxKey key, uint32_t c0, uint32_t row, uint32_t plane, uint32_t sample,
                    uint16_t* out) {
  for (uint32_t j = 0; j < 16; ++j) {
    const auto words = philox(key, {c0 + j, row, plane, sample});
    for (uint32_t w = 0; w < 4; ++w) {
      out[8 * j + 2 * w] = static_cast<uint16_t>(words[w]);
      out[8 * j + 2 * w + 1] = static_cast<uint16_t>(words[w] >> 16);
    }
  }
}

const DropoutBlockFunction kBlockFunction =
    __builtin_cpu_supports("avx512f") ? avx512_dropout_block : portable_block;

}  // namespace

std::array<uint32_t, 4> philox(PhiloxKey key, std::array<uint32_t, 4> counter) {
  for (int round = 0; round < kRounds; ++round) {
    const uint64_t p0 = uint64_t{kMultiplier0} * counter[0];
    const uint64_t p1 = uint64_t{kMultiplier1} * counter[2];
    counter = {static_cast<uint32_t>(p1 >> 32) ^ counter[1] ^ key.k0, static_cast<uint32_t>(p1),
               static_cast<uint32_t>(p0 >> 32) ^ counter[3] ^ key.k1, static_cast<uint32_t>(p0)};
    key = {key.k0 + kWeyl0, key.k1 + kWeyl1};
  }
  return counter;
}

PhiloxKey purpose_key(uint64_t seed, std::string_view purpose, uint64_t index) {
  const uint64_t mixed = hash_bytes(&index, sizeof index, hash_text(purpose, seed));
  return {static_cast<uint32_t>(mixed), static_cast<uint32_t>(mixed >> 32)};
}

namespace {

double unit_interval(uint32_t low, uint32_t high) {
  const uint64_t bits = (uint64_t{high} << 32 | low) >> 11;
  return static_cast<double>(bits) * 0x1p-53;
}

std::array<uint32_t, 4> numbered(PhiloxKey key, uint64_t index) {
  return philox(key, {static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32), 0, 0});
}

}  // namespace

double uniform_number(PhiloxKey key, uint64_t index) {
  const auto words = numbered(key, index);
  return unit_interval(words[0], words[1]);
}

void fill_normal(PhiloxKey key, int64_t first, int64_t count, double* out) {
  for (int64_t i = first; i < first + count;) {
    const auto words = numbered(key, static_cast<uint64_t>(i / 2));
    const double radius = std::sqrt(-2.0 * std::log(1.0 - unit_interval(words[0], words[1])));
    const double angle = 2.0 * std::numbers::pi * unit_interval(words[2], words[3]);
    if (i % 2 == 0) {
      *out++ = radius * std::cos(angle);
      ++i;
    }
    if (i % 2 == 1 && i < first + count) {
      *out++ = radius * std::sin(angle);
      ++i;
    }
  }
}

DropoutRate::DropoutRate(double probability)
    : threshold(static_cast<uint32_t>(std::lround(probability * 65536.0))),
      scale(65536.0 / (65536.0 - threshold)) {}

template <class Bits>
void fill_dropout_row(PhiloxKey key, uint32_t row, uint32_t plane, uint32_t sample, int64_t first,
                      int64_t count, uint32_t threshold, Bits kept, Bits* out) {
  alignas(64) std::array<uint16_t, kBlockElements> block;
  for (int64_t done = 0; done < count; done += kBlockElements) {
    kBlockFunction(key, static_cast<uint32_t>((first + done) / 8), row, plane, sample,
                   block.data());
    const int64_t n = std::min<int64_t>(kBlockElements, count - done);
    for (int64_t i = 0; i < n; ++i) {
      out[done + i] = block[static_cast<size_t>(i)] < threshold ? Bits{0} : kept;
    }
  }
}

template void fill_dropout_row<uint16_t>(PhiloxKey, uint32_t, uint32_t, uint32_t, int64_t, int64_t,
                                         uint32_t, uint16_t, uint16_t*);
template void fill_dropout_row<uint32_t>(PhiloxKey, uint32_t, uint32_t, uint32_t, int64_t, int64_t,
                                         uint32_t, uint32_t, uint32_t*);
template void fill_dropout_row<uint64_t>(PhiloxKey, uint32_t, uint32_t, uint32_t, int64_t, int64_t,
                                         uint32_t, uint64_t, uint64_t*);

}  // namespace lmtrain
