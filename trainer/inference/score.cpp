#include "trainer/inference/score.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

namespace lmtrain {

std::vector<double> score_tokens(const Decoder& model, at::Device device,
                                 const std::vector<int32_t>& tokens) {
  if (tokens.size() < 2) return {};
  const at::NoGradGuard no_gradients;
  const auto all = static_cast<int64_t>(tokens.size());
  const at::Tensor ids = at::tensor(std::vector<int64_t>(tokens.begin(), tokens.end()), at::kLong)
                             .unsqueeze(0)
                             .to(device);
  const at::Tensor hidden =
      model.hidden(make_input(model.config(), {.ids = ids.narrow(1, 0, all - 1)}));
  const at::Tensor labels = ids.narrow(1, 1, all - 1);
  const at::Tensor weights = at::ones(labels.sizes(), labels.options().dtype(at::kFloat));
  const at::Tensor scores = model.head()
                                .loss(hidden, labels, weights, {})
                                .log_probabilities.to(at::kDouble)
                                .cpu()
                                .contiguous();
  return {scores.data_ptr<double>(), scores.data_ptr<double>() + scores.numel()};
}

}  // namespace lmtrain
