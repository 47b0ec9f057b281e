// The element-wise part of attention, between its matrix products. Only kernels_isa.cpp includes
// this file.
#pragma once

#include "models/kernels/cross_entropy_kernels.h"
#include "models/kernels/kernels.h"
#include "models/kernels/vector.h"

namespace lmtrain {
namespace {

inline void copy_rows(const HeadMatrix& from, uint16_t* to) {
  for (int64_t r = 0; r < from.count; ++r) {
    __builtin_memcpy(to + r * from.width, from.data + r * from.stride,
                     static_cast<unsigned long>(from.width) * 2);
  }
  __builtin_memset(to + from.count * from.width, 0,
                   static_cast<unsigned long>((from.padded - from.count) * from.width) * 2);
}

inline Words widened(const uint16_t* from) {
  Halves bits;
  __builtin_memcpy(&bits, from, sizeof bits);
  return __builtin_convertvector(bits, Words);
}

inline void pair_rows(const HeadMatrix& from, uint16_t* to) {
  for (int64_t r = 0; r < from.padded; r += 2) {
    const uint16_t* const row = from.data + r * from.stride;
    uint16_t* const out = to + r * from.width;
    for (int64_t d = 0; d < from.width; d += kLanes) {
      Words pairs = {};
      if (r < from.count) pairs = widened(row + d);
      if (r + 1 < from.count) pairs |= widened(row + from.stride + d) << 16;
      store_words(out + 2 * d, pairs);
    }
  }
}

inline void pair_features(const HeadMatrix& from, uint16_t* to) {
  for (int64_t first = 0; first < from.padded; first += kLanes) {
    for (int64_t d = 0; d < from.width; d += 2 * kLanes) {
      Words block[kLanes];
      for (int64_t r = 0; r < kLanes; ++r) {
        block[r] = first + r < from.count ? load_words(from.data + (first + r) * from.stride + d)
                                          : Words{};
      }
      transpose(block);
      for (int64_t pair = 0; pair < kLanes; ++pair) {
        store_words(to + (d + 2 * pair) * from.padded + 2 * first, block[pair]);
      }
    }
  }
}

inline void split_pairs(const uint16_t* pairs, int64_t width, int64_t padded, uint16_t* to) {
  for (int64_t d = 0; d < width; d += 2) {
    for (int64_t r = 0; r < padded; r += kLanes) {
      const Words both = load_words(pairs + d * padded + 2 * r);
      const Halves low = __builtin_convertvector(both & 0xFFFFU, Halves);
      const Halves high = __builtin_convertvector(both >> 16, Halves);
      __builtin_memcpy(to + d * padded + r, &low, sizeof low);
      __builtin_memcpy(to + (d + 1) * padded + r, &high, sizeof high);
    }
  }
}

inline Ints load_ints(const int32_t* from) {
  Ints x;
  __builtin_memcpy(&x, from, sizeof x);
  return x;
}

// Returns x where `mask` is -1, and 0 where it is 0.
inline Floats kept_where(Ints mask, Floats x) {
  Ints bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  bits &= mask;
  Floats result;
  __builtin_memcpy(&result, &bits, sizeof result);
  return result;
}

inline float softmax_row(const SoftmaxRow& row) {
  const float largest = row.scale * max_of(row.scores + row.first, row.end - row.first);
  Floats sum = {};
  int64_t i = 0;
  for (; i + kLanes <= row.first; i += kLanes) store(row.weights + i, all(0));
  for (; i < row.end; i += kLanes) {
    Floats weight = exponential(load(row.scores + i) * row.scale - largest);
    if (i < row.first || i + kLanes > row.end) {
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        if (i + lane < row.first || i + lane >= row.end) weight[lane] = 0;
      }
    }
    sum += weight;
    if (row.dropout != nullptr) weight *= load(row.dropout + i);
    store(row.weights + i, weight);
  }
  for (; i < row.padded; i += kLanes) store(row.weights + i, all(0));
  const float total = add_lanes(sum);
  *row.inverse_sum = 1.0F / total;
  return largest + __builtin_logf(total);
}

// Stores two rows as bf16 with their elements side by side, as matrix products read their second
// factor.
inline void store_in_pairs(uint16_t* to, Floats even, Floats odd) {
  const Words low = rounded_to_bf16(even) >> 16;
  const Words high = rounded_to_bf16(odd) & 0xFFFF0000U;
  const Words pairs = low | high;
  __builtin_memcpy(to, &pairs, sizeof pairs);
}

inline void gradient_tile(const AttentionGradientTile& tile) {
  for (int64_t key = 0; key < kAttentionTile; key += 2) {
    for (int64_t query = 0; query < kAttentionTile; query += kLanes) {
      Floats d_scores[2];
      for (int64_t k = key; k < key + 2; ++k) {
        const int64_t at = k * kAttentionTile + query;
        Floats p = exponential(load(tile.scores + at) * tile.scale - load(tile.log_sums + query));
        if (tile.first != nullptr) {
          const Ints index = Ints{} + (tile.first_key + static_cast<int32_t>(k));
          p = kept_where(
              (index >= load_ints(tile.first + query)) & (index < load_ints(tile.end + query)), p);
        }
        Floats dp = load(tile.d_probabilities + at);
        Floats kept = p;
        if (tile.dropout != nullptr) {
          const Floats factor = load(tile.dropout + at);
          kept *= factor;
          dp *= factor;
        }
        store(tile.probabilities + at, kept);
        d_scores[k - key] = p * (dp - load(tile.deltas + query)) * tile.scale;
        store(tile.d_scores + at, d_scores[k - key]);
      }
      store_in_pairs(tile.d_scores_in_pairs + key * kAttentionTile + 2 * query, d_scores[0],
                     d_scores[1]);
    }
  }
}

inline float dot(const uint16_t* a, const uint16_t* b, int64_t width) {
  Floats sum = {};
  for (int64_t d = 0; d < width; d += kLanes) sum += load(a + d) * load(b + d);
  return add_lanes(sum);
}

inline void round_row(const float* from, int64_t width, float factor, uint16_t* to) {
  for (int64_t d = 0; d < width; d += kLanes) store(to + d, load(from + d) * factor);
}

inline void round_transposed_tile(const float* from, int64_t width, int64_t count, uint16_t* to,
                                  int64_t stride) {
  for (int64_t first = 0; first < count; first += kLanes) {
    for (int64_t d = 0; d < width; d += kLanes) {
      Words block[kLanes];
      for (int64_t i = 0; i < kLanes; ++i)
        block[i] = load_words(from + (d + i) * kAttentionTile + first);
      transpose(block);
      for (int64_t r = 0; r < kLanes && first + r < count; ++r) {
        Floats row;
        __builtin_memcpy(&row, &block[r], sizeof row);
        store(to + (first + r) * stride + d, row);
      }
    }
  }
}

inline constexpr AttentionKernels kAttention = {copy_rows,   pair_rows,   pair_features,
                                                split_pairs, softmax_row, gradient_tile,
                                                dot,         round_row,   round_transposed_tile};

}  // namespace
}  // namespace lmtrain
