// Counter-based random numbers: every number is a pure function of a key and a counter, never of
// rank, thread, micro-batch or padding (Philox4x32-10: Salmon et al., "Parallel random numbers: as
// easy as 1, 2, 3", SC 2011).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace lmtrain {

struct PhiloxKey {
  uint32_t k0 = 0;
  uint32_t k1 = 0;
};

// 128 random bits of (key, counter).
std::array<uint32_t, 4> philox(PhiloxKey key, std::array<uint32_t, 4> counter);

// Returns the key for one purpose ("dropout", a parameter's name, ...) under the run's seed.
PhiloxKey purpose_key(uint64_t seed, std::string_view purpose, uint64_t index = 0);

// Returns number `index` of the key's stream, uniform in [0, 1) with 53 bits.
double uniform_number(PhiloxKey key, uint64_t index);

// Draws the numbers 0, 1, 2, ... of a key's stream one after another.
class UniformStream {
 public:
  explicit UniformStream(PhiloxKey key) : key_(key) {}

  double next() { return uniform_number(key_, count_++); }
  // Uniform in [0, size); size is at least 1.
  int64_t below(int64_t size) { return static_cast<int64_t>(next() * static_cast<double>(size)); }

 private:
  PhiloxKey key_;
  uint64_t count_ = 0;
};

// Writes the standard normal numbers first .. first+count-1 of the key's stream (Box-Muller in
// double precision; each philox call gives two numbers of 53 bits).
void fill_normal(PhiloxKey key, int64_t first, int64_t count, double* out);

// A dropout probability as the kernels realise it: with 16 random bits per element it is a multiple
// of 2^-16. Kept elements are scaled by 1 / (1 - realised probability).
struct DropoutRate {
  explicit DropoutRate(double probability);
  uint32_t threshold;  // an element whose 16 bits are below it is dropped
  double scale;
};

// Writes for each element i of one row either 0 (dropped) or `kept`, the bits of the scale in the
// caller's type (uint16_t for bf16, uint32_t for float, uint64_t for double). The element's bits
// depend on (key, row, plane, sample, first + i); `first` is a multiple of 8.
template <class Bits>
void fill_dropout_row(PhiloxKey key, uint32_t row, uint32_t plane, uint32_t sample, int64_t first,
                      int64_t count, uint32_t threshold, Bits kept, Bits* out);

}  // namespace lmtrain
