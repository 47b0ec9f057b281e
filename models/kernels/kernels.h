// The inner loops of the models on the CPU, vectorised. They are compiled once per instruction set
// (kernels_isa.cpp) and chosen at run time. bf16 numbers are passed as their bits, uint16_t. The
// code in models/ calls these kernels from several threads.
#pragma once

#include <cstdint>

namespace lmtrain {

// Softmax cross-entropy over a row of `count` logits (models/vocab_loss.cpp).
struct CrossEntropyKernels {
  float (*max_bf16)(const uint16_t* row, int64_t count);
  float (*max_fp32)(const float* row, int64_t count);
  // Return the sum of exp(logit - shift).
  float (*sum_exp_bf16)(const uint16_t* row, int64_t count, float shift);
  float (*sum_exp_fp32)(const float* row, int64_t count, float shift);
  // Set row[i] = factor * exp(row[i] - shift) in place, which is the softmax part of the gradient.
  void (*scaled_exp_bf16)(uint16_t* row, int64_t count, float shift, float factor);
  void (*scaled_exp_fp32)(float* row, int64_t count, float shift, float factor);
};

// GELU in its tanh form (Hendrycks and Gimpel, 2016), of `count` elements (models/gelu.cpp).
struct GeluKernels {
  void (*forward_bf16)(const uint16_t* x, int64_t count, uint16_t* y);
  void (*forward_fp32)(const float* x, int64_t count, float* y);
  void (*backward_bf16)(const uint16_t* x, const uint16_t* dy, int64_t count, uint16_t* dx);
  void (*backward_fp32)(const float* x, const float* dy, int64_t count, float* dx);
};

// The sums of `columns` columns over `num_rows` rows, whose starts lie `stride` elements apart
// (models/row_sum.cpp).
struct RowSumKernels {
  void (*sum_bf16)(const uint16_t* rows, int64_t num_rows, int64_t stride, int64_t columns,
                   float* sums);
  void (*sum_fp32)(const float* rows, int64_t num_rows, int64_t stride, int64_t columns,
                   float* sums);
};

// The side of the square tiles that attention is cut into (models/blocked_attention.cpp).
constexpr int64_t kAttentionTile = 64;

// One tile of attention's backward, transposed: row k is a key, column q is a query.
struct AttentionGradientTile {
  const float* scores;           // [64, 64] key . query
  const float* d_probabilities;  // [64, 64] value . d_output
  const float* log_sums;         // [64] of each query
  const float* deltas;           // [64] d_output . output of each query
  const float* dropout;          // [64, 64] factors, or null
  float scale;                   // of scores
  // Query q sees the keys first[q] <= key < end[q]. These ranges and first_key, the first key of
  // the tile, count from the sample's first key. Null where every query sees the whole tile.
  const int32_t* first;
  const int32_t* end;
  int32_t first_key;
  // Outputs: the probabilities after dropout, [64, 64]; the gradient of the scores, [64, 64]; and
  // the same gradient with pairs of keys side by side, [32, 64, 2].
  uint16_t* probabilities;
  uint16_t* d_scores;
  uint16_t* d_scores_in_pairs;
};

// The scores of one query, from which softmax weights are made.
struct SoftmaxRow {
  const float* scores;
  int64_t first, end;    // the keys that the query sees, at least one
  int64_t padded;        // a multiple of 64; weights before first and from end on are zero
  float scale;           // of scores
  const float* dropout;  // factors, or null
  // Outputs: weights[i] = exp(scale * (score - largest)) times dropout, and the inverse of their
  // sum before dropout, by which the result of the weights must be multiplied.
  uint16_t* weights;
  float* inverse_sum;
};

// One head's [count, width] bf16 numbers; width is a multiple of 32. The forms that kernels write
// have `padded` rows, a multiple of 64; their rows from `count` on are zero.
struct HeadMatrix {
  const uint16_t* data;
  int64_t stride;  // of rows, in elements
  int64_t count, padded, width;
};

struct AttentionKernels {
  // Each writes a form in which matrix products read a matrix:
  //   copy_rows      as it is, [padded, width]
  //   pair_rows      pairs of rows side by side, [padded / 2, width, 2]
  //   pair_features  pairs of features side by side, [width / 2, padded, 2]
  //   split_pairs    transposed, [width, padded], made from the output of pair_features
  void (*copy_rows)(const HeadMatrix& from, uint16_t* to);
  void (*pair_rows)(const HeadMatrix& from, uint16_t* to);
  void (*pair_features)(const HeadMatrix& from, uint16_t* to);
  void (*split_pairs)(const uint16_t* pairs, int64_t width, int64_t padded, uint16_t* to);

  // Returns the log of the sum of exp(scale * score).
  float (*softmax_row)(const SoftmaxRow& row);
  void (*gradient_tile)(const AttentionGradientTile& tile);
  // Returns the dot product of `width` numbers.
  float (*dot)(const uint16_t* a, const uint16_t* b, int64_t width);
  // Sets to[i] = factor * from[i], for `width` numbers.
  void (*round_row)(const float* from, int64_t width, float factor, uint16_t* to);
  // Transposes [width, 64] and writes the first `count` rows of `width` numbers, whose starts lie
  // `stride` elements apart.
  void (*round_transposed_tile)(const float* from, int64_t width, int64_t count, uint16_t* to,
                                int64_t stride);
};

// y[r, n] = x[r] . weights[n] for the outputs first <= n < end of all rows.
template <class T>
struct FewRows {
  // [num_rows, width]. For bf16 the even and then the odd elements of every 32; for int8 of every
  // 64 the elements 0, 4, 8 .., then 1, 5, 9 .. and so on. A rest at the end of a row stays as it
  // is.
  const float* x;
  int64_t num_rows, width;
  const T* weights;  // [outputs, width]
  int64_t first, end;
  float* y;  // [num_rows, outputs], whose rows' starts lie `stride` elements apart
  int64_t stride;
};

// Attention of one head of one query to the keys first <= key < end, at least one. width is a
// multiple of 16.
template <class T>
struct CachedQuery {
  const float* query;  // [width]
  const T* keys;       // [end, width]
  const T* values;     // [end, width]
  int64_t first, end, width;
  float scale;    // of scores
  float* scores;  // [end - first], overwritten
  float* result;  // [width]
};

// What a model computes for few tokens at once (models/few_rows.cpp, models/cached_attention.cpp).
// A row's result does not depend on the other rows.
struct DecodingKernels {
  void (*products_bf16)(const FewRows<uint16_t>& job);
  void (*products_fp32)(const FewRows<float>& job);
  void (*products_int8)(const FewRows<int8_t>& job);
  void (*attend_bf16)(const CachedQuery<uint16_t>& query);
  void (*attend_fp32)(const CachedQuery<float>& query);
};

struct CpuKernels {
  const char* instruction_set;
  CrossEntropyKernels cross_entropy;
  GeluKernels gelu;
  RowSumKernels row_sum;
  AttentionKernels attention;
  DecodingKernels decoding;
};

// Returns the kernels of the best instruction set that this processor has.
const CpuKernels& cpu_kernels();

}  // namespace lmtrain
