#include "trainer/explanation/explain.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "base/error.h"
#include "trainer/inference/predict.h"

namespace lmtrain {
namespace {

// Tokens of all points that are computed at once: what backward keeps of them is about 600 MB for
// 30 layers of 576.
constexpr int64_t kTokensAtOnce = 256;

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

// Reads the text once more and keeps what is wanted of each block as it comes.
void read_attention(const LoadedModel& loaded, const EncodedText& text, int64_t most,
                    Explanation& result) {
  const auto positions = static_cast<int64_t>(text.ids.size());
  const ModelConfig& model = loaded.config.model;
  const int64_t averaged = model.num_layers * positions * positions;
  if (averaged > most) return;
  result.attention_is_averaged = averaged * model.num_heads > most;
  const at::NoGradGuard no_gradients;
  constexpr size_t kFirst[] = {0};
  ModelInput input = padded_input(model, {text}, kFirst);
  std::vector<at::Tensor> maps;
  input.on_attention = [&](const at::Tensor& probabilities) {
    const at::Tensor heads = result.attention_is_averaged
                                 ? probabilities[0].mean(0, /*keepdim=*/true)
                                 : probabilities[0];
    maps.push_back(heads.mul(255.0).round_().to(at::kByte));
  };
  loaded.model->hidden(input);
  result.attention = at::stack(maps);
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
  result.integrated_gradients = numbers(integrated.contributions);
  result.gradient_x_input =
      numbers((score(vectors.unsqueeze(0)).gradients[0] * vectors).to(at::kDouble).sum(-1));
  result.input_score = integrated.input_score;
  result.baseline_score = integrated.baseline_score;
  result.sum = integrated.sum();
  result.relative_error = integrated.relative_error();
  result.relative_token_error = integrated.relative_token_error();
  result.holds = integrated.holds(options.tolerance);
  result.num_points = integrated.num_points;
  require_finite(at::tensor({result.input_score, result.baseline_score, result.sum}, at::kDouble));
  require_finite(at::tensor(result.gradient_x_input, at::kDouble));
  if (options.most_attention > 0) read_attention(loaded, text, options.most_attention, result);
  return result;
}

}  // namespace lmtrain
