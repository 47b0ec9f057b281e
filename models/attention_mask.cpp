#include "models/attention_mask.h"

#include <ATen/ATen.h>

namespace lmtrain {

at::Tensor AttentionMask::matrix() const {
  const at::Tensor keys = at::arange(end.size(1), end.options());
  const at::Tensor allowed = keys.ge(first.unsqueeze(-1)).logical_and_(keys.lt(end.unsqueeze(-1)));
  return allowed.unsqueeze(1);
}

AttentionMask causal_mask(int64_t samples, int64_t positions, at::Device device) {
  const auto options = at::TensorOptions().dtype(at::kInt).device(device);
  return {at::zeros({samples, positions}, options),
          at::arange(1, positions + 1, options).expand({samples, positions}).contiguous(),
          MaskForm::kCausal};
}

AttentionMask causal_mask_within(const at::Tensor& document_ids) {
  AttentionMask mask =
      causal_mask(document_ids.size(0), document_ids.size(1), document_ids.device());
  mask.first = at::searchsorted(document_ids, document_ids, /*out_int32=*/true);
  mask.form = MaskForm::kRanges;
  return mask;
}

AttentionMask within_window(AttentionMask mask, int64_t window) {
  if (window >= mask.end.size(1)) return mask;
  mask.first = at::maximum(mask.first, mask.end - window);
  mask.form = MaskForm::kRanges;
  return mask;
}

AttentionMask full_mask(const at::Tensor& lengths, int64_t positions) {
  const at::Tensor end = lengths.unsqueeze(1).expand({lengths.size(0), positions}).contiguous();
  const bool is_full = lengths.eq(positions).all().item<bool>();
  return {at::zeros_like(end), end, is_full ? MaskForm::kFull : MaskForm::kRanges};
}

AttentionMask full_mask_within(const at::Tensor& document_ids) {
  const at::Tensor ids = document_ids.contiguous();
  return {at::searchsorted(ids, ids, /*out_int32=*/true),
          at::searchsorted(ids, ids, /*out_int32=*/true, /*right=*/true), MaskForm::kRanges};
}

}  // namespace lmtrain
