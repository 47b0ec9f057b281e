#include "trainer/inference/generate.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "base/philox.h"

namespace lmtrain {
namespace {

// Returns one sequence as int64 [1, end - begin].
at::Tensor ids_of(const std::vector<int32_t>& tokens, size_t begin, size_t end, at::Device device) {
  const std::vector<int64_t> ids(tokens.begin() + static_cast<std::ptrdiff_t>(begin),
                                 tokens.begin() + static_cast<std::ptrdiff_t>(end));
  return at::tensor(ids, at::kLong).unsqueeze(0).to(device);
}

}  // namespace

int32_t sample_token(const at::Tensor& logits, const SamplingOptions& options, double uniform) {
  const at::Tensor wide = logits.to(at::kDouble).cpu().contiguous();
  const double* const scores = wide.data_ptr<double>();
  std::vector<int32_t> order(static_cast<size_t>(wide.numel()));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int32_t a, int32_t b) { return scores[a] > scores[b]; });
  if (options.temperature == 0.0) return order[0];

  if (options.top_k > 0 && options.top_k < wide.numel()) {
    const double least = scores[order[static_cast<size_t>(options.top_k - 1)]];
    while (scores[order.back()] < least) order.pop_back();
  }
  std::vector<double> weights;
  double total = 0;
  for (const int32_t token : order) {
    weights.push_back(std::exp((scores[token] - scores[order[0]]) / options.temperature));
    total += weights.back();
  }
  double kept = 0;
  size_t count = 0;
  while (count < weights.size() && (count == 0 || kept < options.top_p * total))
    kept += weights[count++];

  double target = uniform * kept;
  for (size_t i = 0; i + 1 < count; ++i) {
    target -= weights[i];
    if (target < 0) return order[i];
  }
  return order[count - 1];
}

std::vector<int32_t> generate_tokens(const Decoder& model, int64_t max_positions, at::Device device,
                                     const std::vector<int32_t>& prompt, int64_t num_tokens,
                                     const std::vector<int32_t>& end_tokens,
                                     const SamplingOptions& options, Communicator* ranks) {
  const at::NoGradGuard no_gradients;
  const PhiloxKey key = purpose_key(options.seed, "sample");
  std::vector<int32_t> tokens = prompt;
  // The text is padded to a multiple of rows. Padding after the last token does not change the
  // hidden states before it.
  const auto multiple = static_cast<size_t>(model.multiple_of_rows());
  const size_t longest = static_cast<size_t>(max_positions) / multiple * multiple;
  for (int64_t i = 0; i < options.max_new_tokens; ++i) {
    const size_t begin = tokens.size() - std::min(tokens.size(), longest);
    const size_t length = tokens.size() - begin;
    std::vector<int32_t> read(tokens.begin() + static_cast<std::ptrdiff_t>(begin), tokens.end());
    read.resize((length + multiple - 1) / multiple * multiple);
    const at::Tensor hidden =
        model.hidden(make_input(model.config(), {.ids = ids_of(read, 0, read.size(), device)}));
    const at::Tensor logits =
        model.head().logits(hidden.select(1, static_cast<int64_t>(length) - 1))[0];
    // A model may have more rows than its tokenizer has entries.
    const at::Tensor sampled =
        at::tensor({int64_t{sample_token(logits.narrow(0, 0, num_tokens), options,
                                         uniform_number(key, static_cast<uint64_t>(i)))}},
                   at::kLong);
    if (ranks != nullptr) ranks->broadcast(sampled, 0)->wait();
    const auto next = static_cast<int32_t>(sampled.item<int64_t>());
    if (std::ranges::find(end_tokens, next) != end_tokens.end()) break;
    tokens.push_back(next);
  }
  return {tokens.begin() + static_cast<std::ptrdiff_t>(prompt.size()), tokens.end()};
}

std::vector<double> score_tokens(const Decoder& model, at::Device device,
                                 const std::vector<int32_t>& tokens) {
  if (tokens.size() < 2) return {};
  const at::NoGradGuard no_gradients;
  const at::Tensor hidden = model.hidden(
      make_input(model.config(), {.ids = ids_of(tokens, 0, tokens.size() - 1, device)}));
  const at::Tensor labels = ids_of(tokens, 1, tokens.size(), device);
  const at::Tensor weights = at::ones(labels.sizes(), labels.options().dtype(at::kFloat));
  const at::Tensor scores = model.head()
                                .loss(hidden, labels, weights, {})
                                .log_probabilities.to(at::kDouble)
                                .cpu()
                                .contiguous();
  return {scores.data_ptr<double>(), scores.data_ptr<double>() + scores.numel()};
}

}  // namespace lmtrain
