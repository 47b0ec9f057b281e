#include "trainer/planning/optimizer_state.h"

#include <ATen/ATen.h>

#include "models/model.h"
#include "parallel/planned_communicator.h"
#include "trainer/step/optimizers.h"

namespace lmtrain {

StateSize state_size(const OptimizerConfig& optimizer, ModelConfig model, int64_t vocab_size,
                     int64_t tensor) {
  model.vocab_size = vocab_size;
  const std::unique_ptr<Communicator> axis = make_planned_communicator(static_cast<int>(tensor));
  ParameterStore store(at::kFloat, at::kCPU);
  const std::unique_ptr<Model> declared = make_model(model, vocab_size, store, *axis);
  const std::unique_ptr<Optimizer> keeps = make_optimizer(optimizer);
  StateSize size;
  for (const Parameter* parameter : store.parameters()) {
    const ParameterSpec& spec = parameter->spec();
    const auto buffers = static_cast<int64_t>(keeps->state_of(spec).size());
    size.on_rank += buffers * parameter->numel();
    size.stored += buffers * c10::multiply_integers(spec.logical_shape);
  }
  return size;
}

}  // namespace lmtrain
