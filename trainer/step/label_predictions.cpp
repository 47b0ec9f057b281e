#include "trainer/step/label_predictions.h"

#include <algorithm>

#include <ATen/ATen.h>

namespace lmtrain {

std::vector<double> numbers(const at::Tensor& tensor) {
  const at::Tensor wide = tensor.to(at::kDouble).contiguous();
  return {wide.data_ptr<double>(), wide.data_ptr<double>() + wide.numel()};
}

AnswerSpan best_answer(const at::Tensor& logits, int64_t begin, int64_t end, int64_t longest) {
  const std::vector<double> firsts = numbers(logits.select(1, 0));
  const std::vector<double> lasts = numbers(logits.select(1, 1));
  const auto score = [&](int64_t first, int64_t last) {
    return firsts[static_cast<size_t>(first)] + lasts[static_cast<size_t>(last)];
  };
  AnswerSpan best = {begin, begin, score(begin, begin)};
  for (int64_t first = begin; first < end; ++first) {
    for (int64_t last = first; last < std::min(end, first + longest); ++last) {
      if (score(first, last) > best.score) best = {first, last, score(first, last)};
    }
  }
  return best;
}

std::vector<std::vector<double>> label_predictions(const ModelConfig& model, const Batch& batch,
                                                   const at::Tensor& on_device) {
  const at::Tensor logits = on_device.to(at::kCPU);
  std::vector<std::vector<double>> predictions;
  for (int64_t i = 0; i < batch.num_samples; ++i) {
    const at::Tensor own = logits[i];
    if (model.is_regression()) {
      predictions.push_back({own[0].item<double>()});
    } else if (model.classifies_texts()) {
      predictions.push_back({static_cast<double>(own.argmax().item<int64_t>())});
    } else if (model.answers_questions()) {
      const auto [begin, end] = batch.passages[static_cast<size_t>(i)];
      const AnswerSpan best = best_answer(own, begin, end, kLongestAnswer);
      predictions.push_back({static_cast<double>(best.first), static_cast<double>(best.last),
                             best.score, own[0].sum().item<double>()});
    } else {
      const std::vector<double> best = numbers(own.argmax(-1));
      const size_t row = static_cast<size_t>(i * batch.sequence_length);
      std::vector<double> of_tokens;
      for (size_t k = 0; k < best.size(); ++k)
        if (batch.labels[row + k] >= 0) of_tokens.push_back(best[k]);
      predictions.push_back(std::move(of_tokens));
    }
  }
  return predictions;
}

}  // namespace lmtrain
