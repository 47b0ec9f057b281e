// Attention of new tokens to those that are in a key-value cache already.
#pragma once

#include <ATen/core/Tensor.h>

#include "models/kv_cache.h"

namespace lmtrain {

// The part of a pass that a layer of attention needs.
struct CachedPass {
  KeyValueCache* cache = nullptr;
  const std::vector<TokenSpan>* spans = nullptr;
  int64_t layer = 0;
  int64_t window = 0;  // keys that a query sees at most, its own included; 0: all
};

// Puts the keys and values of the spans' rows into the cache; then each query sees the keys of its
// own slot up to its own place. q: [rows, heads, head size]; k, v: [rows, key heads, head size],
// each of which serves equally many consecutive heads of q. Returns q's shape; rows behind the
// spans are zero. Without gradients.
at::Tensor cached_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const CachedPass& pass);

}  // namespace lmtrain
