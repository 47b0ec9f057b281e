// Compiled once per instruction set, with LMTRAIN_ISA naming the function that hands out the kernels. Uses no inline
// function of the standard library: the linker could keep this file's copy of it for the whole program.
#include "models/kernels/cross_entropy_isa.h"

namespace lmtrain {
namespace {

constexpr int kLanes = 16;
using Floats = float __attribute__((vector_size(4 * kLanes)));
using Ints = int32_t __attribute__((vector_size(4 * kLanes)));
using Words = uint32_t __attribute__((vector_size(4 * kLanes)));
using Halves = uint16_t __attribute__((vector_size(2 * kLanes)));

inline Floats all(float x) { return Floats{} + x; }

inline Floats load(const float* from) {
  Floats x;
  __builtin_memcpy(&x, from, sizeof x);
  return x;
}

inline Floats load(const uint16_t* from) {
  Halves bits;
  __builtin_memcpy(&bits, from, sizeof bits);
  const Words wide = __builtin_convertvector(bits, Words) << 16;
  Floats x;
  __builtin_memcpy(&x, &wide, sizeof x);
  return x;
}

inline void store(float* to, Floats x) { __builtin_memcpy(to, &x, sizeof x); }

// Rounds to the nearest bf16, ties to even. The values here are finite.
inline void store(uint16_t* to, Floats x) {
  Words wide;
  __builtin_memcpy(&wide, &x, sizeof wide);
  wide += 0x7FFFU + ((wide >> 16) & 1U);
  const Halves bits = __builtin_convertvector(wide >> 16, Halves);
  __builtin_memcpy(to, &bits, sizeof bits);
}

// exp(x) for x <= 88, relative error below 2e-7: 2^n times a polynomial of the rest (Cody and Waite).
inline Floats exponential(Floats x) {
  const Floats low = all(-87.0F);
  x = x < low ? low : x;
  const Floats shifter = all(12582912.0F);  // adding it rounds to an integer
  const Floats rounded = x * 1.44269504F + shifter;
  const Floats n = rounded - shifter;
  const Floats r = x - n * 0.693359375F - n * -2.12194440e-4F;
  Floats p = all(1.9875691500e-4F);
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * (r * r) + r + 1.0F;
  const Ints exponent = (__builtin_convertvector(n, Ints) + 127) << 23;
  Floats power;
  __builtin_memcpy(&power, &exponent, sizeof power);
  return p * power;
}

// The last, short vector of a row, filled up with `filler`.
template <class T>
inline Floats load_tail(const T* from, int64_t count, float filler) {
  float lanes[kLanes];
  T padded[kLanes] = {};
  __builtin_memcpy(padded, from, static_cast<unsigned long>(count) * sizeof(T));
  store(lanes, load(padded));
  for (int64_t i = count; i < kLanes; ++i) lanes[i] = filler;
  return load(lanes);
}

inline float add_lanes(Floats x) {
  float sum = 0;
  for (int i = 0; i < kLanes; ++i) sum += x[i];
  return sum;
}

constexpr float kLowest = -3.0e38F;

template <class T>
float max_of(const T* row, int64_t count) {
  Floats best = all(kLowest);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const Floats x = load(row + i);
    best = x > best ? x : best;
  }
  const Floats x = load_tail(row + i, count - i, kLowest);
  best = x > best ? x : best;
  float result = best[0];
  for (int lane = 1; lane < kLanes; ++lane) result = best[lane] > result ? best[lane] : result;
  return result;
}

template <class T>
float sum_exp(const T* row, int64_t count, float shift) {
  Floats a = all(0);
  Floats b = all(0);
  int64_t i = 0;
  for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
    a += exponential(load(row + i) - shift);
    b += exponential(load(row + i + kLanes) - shift);
  }
  for (; i + kLanes <= count; i += kLanes) a += exponential(load(row + i) - shift);
  if (i < count) {
    const Floats tail = exponential(load_tail(row + i, count - i, kLowest) - shift);
    for (int64_t lane = 0; lane < count - i; ++lane) b[lane] += tail[lane];
  }
  return add_lanes(a + b);
}

template <class T>
void scaled_exp(T* row, int64_t count, float shift, float factor) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(row + i, exponential(load(row + i) - shift) * factor);
  if (i == count) return;
  T padded[kLanes];
  store(padded, exponential(load_tail(row + i, count - i, kLowest) - shift) * factor);
  __builtin_memcpy(row + i, padded, static_cast<unsigned long>(count - i) * sizeof(T));
}

constexpr CrossEntropyKernels kKernels = {
    LMTRAIN_ISA_NAME,    max_of<uint16_t>,     max_of<float>,    sum_exp<uint16_t>,
    sum_exp<float>,      scaled_exp<uint16_t>, scaled_exp<float>,
};

}  // namespace

const CrossEntropyKernels& LMTRAIN_ISA() { return kKernels; }

}  // namespace lmtrain
