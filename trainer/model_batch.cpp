#include "trainer/model_batch.h"

#include <ATen/ATen.h>

namespace lmtrain {
namespace {

template <class T>
at::Tensor to_tensor(const Batch& batch, const std::vector<T>& values, at::ScalarType type,
                     at::Device device) {
  const at::Tensor tensor = at::empty({batch.num_samples, batch.sequence_length}, type);
  std::copy(values.begin(), values.end(), tensor.data_ptr<T>());
  return tensor.to(device);
}

}  // namespace

ModelBatch to_model_batch(const Batch& batch, DropoutContext dropout, bool isolate_documents,
                          at::Device device) {
  ModelBatch result;
  DecoderInput& input = result.input;
  input.ids = to_tensor(batch, batch.ids, at::kLong, device);
  input.positions = to_tensor(batch, batch.positions, at::kLong, device);
  if (isolate_documents) {
    input.mask = causal_mask_within(to_tensor(batch, batch.document_ids, at::kInt, device));
    input.positions -= input.mask.first;
  } else {
    input.mask = causal_mask(batch.num_samples, batch.sequence_length, device);
  }
  input.dropout = std::move(dropout);
  input.dropout.samples = batch.sample_indices;
  result.labels = to_tensor(batch, batch.labels, at::kLong, device);
  result.weights = to_tensor(batch, batch.weights, at::kFloat, device);
  return result;
}

}  // namespace lmtrain
