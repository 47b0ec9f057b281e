#include "trainer/explanation/explain.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "base/error.h"

namespace lmtrain {
namespace {

// Tokens of all points that are computed at once: what backward keeps of them is a few hundred MB
// for small models.
constexpr int64_t kTokensAtOnce = 1024;

std::vector<double> of_tokens(const at::Tensor& of_elements) {
  const at::Tensor sums = of_elements.to(at::kDouble).sum(-1).contiguous();
  return {sums.data_ptr<double>(), sums.data_ptr<double>() + sums.numel()};
}

// The vectors of the text, with those of the baseline where it stands for a token.
at::Tensor baseline_of(const LoadedModel& loaded, const at::Tensor& vectors,
                       const ExplainOptions& options, const std::vector<bool>& is_replaced) {
  const at::Tensor row =
      options.baseline < 0
          ? at::zeros_like(vectors[0])
          : loaded.model->token_vectors(at::full({1, 1}, options.baseline, at::kLong))[0][0];
  at::Tensor baseline = vectors.clone();
  for (size_t i = 0; i < is_replaced.size(); ++i) {
    if (is_replaced[i]) baseline[static_cast<int64_t>(i)].copy_(row);
  }
  return baseline;
}

at::Tensor attention_of(const LoadedModel& loaded, const EncodedText& text) {
  const at::NoGradGuard no_gradients;
  constexpr size_t kFirst[] = {0};
  ModelInput input = padded_input(loaded.config.model, {text}, kFirst);
  AttentionMaps maps;
  input.attention_maps = &maps;
  loaded.model->hidden(input);
  return at::cat(maps).to(at::kFloat);
}

}  // namespace

int32_t default_baseline(const LoadedModel& loaded) {
  if (!loaded.config.model.traits().predicts_next_token()) return loaded.tokenizer.mask_token();
  return loaded.end_tokens.empty() ? -1 : loaded.end_tokens[0];
}

Explanation explain(const LoadedModel& loaded, const EncodedText& text,
                    const ExplainOptions& options) {
  Explanation result;
  result.text = text;
  result.prediction = find_prediction(loaded, text, options.choice);
  for (const int32_t id : text.ids) {
    const bool is_word = !loaded.tokenizer.is_special(id) || id == loaded.tokenizer.unknown_token();
    result.is_replaced.push_back(is_word);
  }
  if (std::ranges::find(result.is_replaced, true) == result.is_replaced.end())
    throw DataError("the text holds special tokens alone, so that there is nothing to explain");

  const at::Tensor vectors =
      loaded.model->token_vectors(at::tensor(text.ids, at::kLong).unsqueeze(0))[0];
  const at::Tensor baseline = baseline_of(loaded, vectors, options, result.is_replaced);
  const ScoreFunction score = score_of(loaded, text, result.prediction, options.score);
  const auto positions = static_cast<int64_t>(text.ids.size());
  const IntegratedGradients integrated =
      integrated_gradients(score, vectors, baseline,
                           {.tolerance = options.tolerance,
                            .max_points = options.max_points,
                            .points_at_once = std::max<int64_t>(1, kTokensAtOnce / positions),
                            .on_points = [&](int64_t points) {
                              if (options.on_tokens) options.on_tokens(points * positions);
                            }});
  result.integrated_gradients = of_tokens(integrated.contributions);
  result.gradient_x_input = of_tokens(score(vectors.unsqueeze(0)).gradients[0] * vectors);
  result.input_score = integrated.input_score;
  result.baseline_score = integrated.baseline_score;
  result.sum = integrated.sum();
  result.relative_error = integrated.relative_error();
  result.num_points = integrated.num_points;
  if (options.with_attention) result.attention = attention_of(loaded, text);
  return result;
}

}  // namespace lmtrain
