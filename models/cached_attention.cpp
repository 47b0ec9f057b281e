#include "models/cached_attention.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "models/attention.h"
#include "models/kernels/kernels.h"

namespace lmtrain {
namespace {

constexpr int64_t kLanes = 16;

int64_t first_key(const CachedPass& pass, int64_t place) {
  return pass.window > 0 ? std::max<int64_t>(0, place + 1 - pass.window) : 0;
}

void store(const at::Tensor& k, const at::Tensor& v, const CachedPass& pass) {
  int64_t row = 0;
  for (const TokenSpan& span : *pass.spans) {
    const auto put = [&](const at::Tensor& rows, const at::Tensor& into) {
      into.narrow(1, span.first, span.count).copy_(rows.narrow(0, row, span.count).transpose(0, 1));
    };
    put(k, pass.cache->keys(pass.layer, span.slot));
    put(v, pass.cache->values(pass.layer, span.slot));
    row += span.count;
  }
}

// One token of each span, a head of a span at a time.
template <class T>
void attend_by_kernel(void (*kernel)(const CachedQuery<T>&), const at::Tensor& q,
                      const at::Tensor& result, const CachedPass& pass) {
  const std::vector<TokenSpan>& spans = *pass.spans;
  const int64_t heads = q.size(1);
  const int64_t width = q.size(2);
  const int64_t capacity = pass.cache->capacity();
  std::vector<const T*> keys;
  std::vector<const T*> values;
  for (const TokenSpan& span : spans) {
    keys.push_back(static_cast<const T*>(pass.cache->keys(pass.layer, span.slot).data_ptr()));
    values.push_back(static_cast<const T*>(pass.cache->values(pass.layer, span.slot).data_ptr()));
  }
  const int64_t times = heads / pass.cache->keys(pass.layer, 0).size(0);
  const auto scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(width)));
  at::parallel_for(0, static_cast<int64_t>(spans.size()) * heads, 1,
                   [&](int64_t begin, int64_t end) {
                     std::vector<float> scores(static_cast<size_t>(capacity));
                     for (int64_t i = begin; i < end; ++i) {
                       const auto s = static_cast<size_t>(i / heads);
                       const int64_t of_head = i % heads / times * capacity * width;
                       kernel({q.data_ptr<float>() + i * width, keys[s] + of_head,
                               values[s] + of_head, first_key(pass, spans[s].first), spans[s].end(),
                               width, scale, scores.data(), result.data_ptr<float>() + i * width});
                     }
                   });
}

bool suits_kernel(const at::Tensor& q, const CachedPass& pass) {
  return q.is_cpu() && q.scalar_type() != at::kDouble && q.size(2) % kLanes == 0 &&
         std::ranges::all_of(*pass.spans, [](const TokenSpan& span) { return span.count == 1; });
}

// The mask of a span's queries over the keys of its slot: bool [queries, keys].
at::Tensor mask_of(const TokenSpan& span, const CachedPass& pass, const at::Tensor& like) {
  const auto options = like.options().dtype(at::kLong);
  const at::Tensor places = at::arange(span.first, span.end(), options).unsqueeze(1);
  const at::Tensor keys = at::arange(span.end(), options).unsqueeze(0);
  at::Tensor allowed = keys.le(places);
  if (pass.window > 0) allowed.logical_and_(keys.gt(places - pass.window));
  return allowed;
}

AttentionMask mask_from_beginning(const TokenSpan& span, const CachedPass& pass,
                                  at::Device device) {
  const AttentionMask mask = causal_mask(1, span.count, device);
  return pass.window > 0 ? within_window(mask, pass.window) : mask;
}

// All tokens of one span. q: [1, heads, count, head size].
at::Tensor attend(const at::Tensor& q, const TokenSpan& span, const CachedPass& pass) {
  const at::Tensor k =
      pass.cache->keys(pass.layer, span.slot).narrow(1, 0, span.end()).unsqueeze(0);
  const at::Tensor v =
      pass.cache->values(pass.layer, span.slot).narrow(1, 0, span.end()).unsqueeze(0);
  if (span.first == 0) return attention(q, k, v, mask_from_beginning(span, pass, q.device()), {});
  const int64_t times = q.size(1) / k.size(1);
  const auto repeated = [&](const at::Tensor& t) {
    return times == 1 ? t : t.repeat_interleave(times, 1);
  };
  return at::scaled_dot_product_attention(q, repeated(k), repeated(v), mask_of(span, pass, q));
}

}  // namespace

at::Tensor cached_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const CachedPass& pass) {
  store(k, v, pass);
  if (suits_kernel(q, pass)) {
    const at::Tensor wide = q.to(at::kFloat).contiguous();
    const at::Tensor result = at::zeros_like(wide);
    const DecodingKernels& kernels = cpu_kernels().decoding;
    if (q.scalar_type() == at::kFloat) {
      attend_by_kernel(kernels.attend_fp32, wide, result, pass);
    } else {
      attend_by_kernel(kernels.attend_bf16, wide, result, pass);
    }
    return result.to(q.scalar_type());
  }
  at::Tensor result = at::zeros(q.sizes(), q.options());
  int64_t row = 0;
  for (const TokenSpan& span : *pass.spans) {
    const at::Tensor mine = q.narrow(0, row, span.count).transpose(0, 1).unsqueeze(0);
    result.narrow(0, row, span.count).copy_(attend(mine, span, pass)[0].transpose(0, 1));
    row += span.count;
  }
  return result;
}

}  // namespace lmtrain
