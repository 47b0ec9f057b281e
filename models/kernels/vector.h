// Vectors of 16 floats for the kernels, whatever the instruction set they are compiled for. Only
// kernels_isa.cpp includes this file. It uses no inline function of the standard library: the
// linker could keep this set's copy of it for the whole program.
#pragma once

#include <cstdint>

namespace lmtrain {
namespace {

inline constexpr int kLanes = 16;
using Floats = float __attribute__((vector_size(4 * kLanes)));
using Ints = int32_t __attribute__((vector_size(4 * kLanes)));
using Words = uint32_t __attribute__((vector_size(4 * kLanes)));
using Halves = uint16_t __attribute__((vector_size(2 * kLanes)));

template <int...>
struct Lanes {};
using AllLanes = Lanes<0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15>;

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

inline float load_one(const int8_t* from) { return static_cast<float>(*from); }

inline float load_one(const float* from) { return *from; }

inline float load_one(const uint16_t* from) {
  const uint32_t wide = static_cast<uint32_t>(*from) << 16;
  float x;
  __builtin_memcpy(&x, &wide, sizeof x);
  return x;
}

inline Words load_words(const void* from) {
  Words x;
  __builtin_memcpy(&x, from, sizeof x);
  return x;
}

inline void store_words(void* to, Words x) { __builtin_memcpy(to, &x, sizeof x); }

inline void store(float* to, Floats x) { __builtin_memcpy(to, &x, sizeof x); }

// Rounds to the nearest bf16, ties to even, in the upper halves; the lower halves hold rubbish.
// Infinities and the processor's own NaN keep their values.
inline Words rounded_to_bf16(Floats x) {
  Words wide;
  __builtin_memcpy(&wide, &x, sizeof wide);
  return wide + (0x7FFFU + ((wide >> 16) & 1U));
}

inline void store(uint16_t* to, Floats x) {
  const Halves bits = __builtin_convertvector(rounded_to_bf16(x) >> 16, Halves);
  __builtin_memcpy(to, &bits, sizeof bits);
}

// Returns exp(x) for x <= 88 with a relative error below 2e-7: 2^n times a polynomial of the
// remainder (Cody and Waite).
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

// Loads the last, short vector of a row and fills it up with `filler`.
template <class T>
inline Floats load_tail(const T* from, int64_t count, float filler) {
  float lanes[kLanes];
  T padded[kLanes] = {};
  __builtin_memcpy(padded, from, static_cast<unsigned long>(count) * sizeof(T));
  store(lanes, load(padded));
  for (int64_t i = count; i < kLanes; ++i) lanes[i] = filler;
  return load(lanes);
}

template <class T>
inline void store_tail(T* to, int64_t count, Floats x) {
  T padded[kLanes];
  store(padded, x);
  __builtin_memcpy(to, padded, static_cast<unsigned long>(count) * sizeof(T));
}

template <int kStep, int... kLane>
inline void exchange(Words& a, Words& b, Lanes<kLane...>) {
  const Words low =
      __builtin_shufflevector(a, b, ((kLane & kStep) != 0 ? kLanes + kLane - kStep : kLane)...);
  b = __builtin_shufflevector(a, b, ((kLane & kStep) != 0 ? kLanes + kLane : kLane + kStep)...);
  a = low;
}

template <int kStep>
inline void exchange_all(Words* rows) {
  for (int i = 0; i < kLanes; ++i) {
    if ((i & kStep) == 0) exchange<kStep>(rows[i], rows[i + kStep], AllLanes{});
  }
}

// Transposes 16 rows of 16 words in place.
inline void transpose(Words* rows) {
  exchange_all<1>(rows);
  exchange_all<2>(rows);
  exchange_all<4>(rows);
  exchange_all<8>(rows);
}

inline float add_lanes(Floats x) {
  float sum = 0;
  for (int i = 0; i < kLanes; ++i) sum += x[i];
  return sum;
}

}  // namespace
}  // namespace lmtrain
