// Softmax cross-entropy over rows of logits, vectorised; the inner loops of models/vocab_loss.cpp on the CPU.
#pragma once

#include <cstdint>

namespace lmtrain {

// Each of these is compiled once per instruction set; cross_entropy_kernels() chooses at run time.
// `row` has `count` logits, as bf16 bits or float.
struct CrossEntropyKernels {
  const char* instruction_set;
  float (*max_bf16)(const uint16_t* row, int64_t count);
  float (*max_fp32)(const float* row, int64_t count);
  // Sum of exp(logit - shift).
  float (*sum_exp_bf16)(const uint16_t* row, int64_t count, float shift);
  float (*sum_exp_fp32)(const float* row, int64_t count, float shift);
  // In place: row[i] = factor * exp(row[i] - shift), the softmax part of the gradient.
  void (*scaled_exp_bf16)(uint16_t* row, int64_t count, float shift, float factor);
  void (*scaled_exp_fp32)(float* row, int64_t count, float shift, float factor);
};

const CrossEntropyKernels& cross_entropy_kernels();

}  // namespace lmtrain
