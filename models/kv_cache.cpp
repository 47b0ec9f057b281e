#include "models/kv_cache.h"

#include <ATen/ATen.h>

namespace lmtrain {

KeyValueCache::KeyValueCache(const ModelConfig& config, const Communicator& tensor,
                             int64_t num_slots, int64_t capacity, at::ScalarType type,
                             at::Device device)
    : capacity_(capacity) {
  for (int64_t i = 0; i < config.num_layers; ++i) {
    layers_.push_back(
        at::empty({2, num_slots, config.kv_heads() / tensor.size(), capacity, config.head_width()},
                  at::TensorOptions().dtype(type).device(device)));
  }
}

at::Tensor KeyValueCache::keys(int64_t layer, int64_t slot) const {
  return layers_[static_cast<size_t>(layer)].select(0, 0).select(0, slot);
}

at::Tensor KeyValueCache::values(int64_t layer, int64_t slot) const {
  return layers_[static_cast<size_t>(layer)].select(0, 1).select(0, slot);
}

void KeyValueCache::copy(int64_t from, int64_t to, int64_t length) {
  for (const at::Tensor& layer : layers_) {
    layer.select(1, to).narrow(2, 0, length).copy_(layer.select(1, from).narrow(2, 0, length));
  }
}

}  // namespace lmtrain
