#include "trainer/inference/embed.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "base/durable_file.h"
#include "base/text.h"
#include "models/label_head.h"

namespace lmtrain {
namespace {

// rows: [samples, positions, width]; is_real: [samples, positions, 1], 1 for tokens and 0 for
// padding.
at::Tensor pooled(Pooling pooling, const at::Tensor& rows, const at::Tensor& is_real) {
  const at::Tensor lengths = is_real.sum(1);  // [samples, 1]
  switch (pooling) {
    case Pooling::kFirst:
      return rows.select(1, 0);
    case Pooling::kMax:
      return rows.masked_fill(is_real == 0, -1e9).amax(1);
    case Pooling::kMean:
      return (rows * is_real).sum(1) / lengths;
    case Pooling::kMeanBySquareRoot:
      return (rows * is_real).sum(1) / lengths.sqrt();
    case Pooling::kWeightedMean: {
      const at::Tensor weights = is_real.cumsum(1) * is_real;
      return (rows * weights).sum(1) / weights.sum(1);
    }
    case Pooling::kLast:
      break;
  }
  return last_rows(rows, lengths.squeeze(1).to(at::kLong));
}

}  // namespace

SentencePooling pooling_of(const LoadedModel& loaded) {
  if (auto own = sentence_pooling_of(loaded.manifest.state.companions)) return *own;
  const bool is_decoder = loaded.config.model.traits().predicts_next_token();
  SentencePooling pooling;
  pooling.poolings = {is_decoder ? Pooling::kLast : Pooling::kMean};
  return pooling;
}

at::Tensor embed_texts(const LoadedModel& loaded, const std::vector<EncodedText>& texts,
                       std::span<const size_t> places, const SentencePooling& pooling) {
  const at::NoGradGuard no_gradients;
  const ModelInput input = padded_input(loaded.config.model, texts, places);
  at::Tensor rows = loaded.model->hidden(input);
  if (rows.scalar_type() == at::kBFloat16) rows = rows.to(at::kFloat);
  const at::Tensor is_real = (at::arange(rows.size(1)).unsqueeze(0) < input.lengths.unsqueeze(1))
                                 .to(rows.scalar_type())
                                 .unsqueeze(2);
  std::vector<at::Tensor> parts;
  for (const Pooling one : pooling.poolings) parts.push_back(pooled(one, rows, is_real));
  const at::Tensor vectors = at::cat(parts, 1);
  return pooling.normalises ? normalised(vectors) : vectors;
}

at::Tensor normalised(const at::Tensor& rows) {
  constexpr double kLeastNorm = 1e-12;
  return rows / rows.norm(2, {1}, /*keepdim=*/true).clamp_min(kLeastNorm);
}

void write_npy(const std::filesystem::path& path, const at::Tensor& matrix) {
  std::string header = cat("{'descr': '<f4', 'fortran_order': False, 'shape': (", matrix.size(0),
                           ", ", matrix.size(1), "), }");
  constexpr size_t kPrefix = 10;  // magic, version, length of the header
  constexpr size_t kAlignment = 64;
  const size_t used = kPrefix + header.size() + 1;
  header.append((kAlignment - used % kAlignment) % kAlignment, ' ').push_back('\n');
  std::string file("\x93NUMPY\x01\x00", 8);
  file += static_cast<char>(header.size() & 0xFFU);
  file += static_cast<char>(header.size() >> 8U);
  const at::Tensor values = matrix.to(at::kFloat).contiguous();
  file += header;
  file.append(static_cast<const char*>(values.data_ptr()), values.nbytes());
  write_file_durably(path, file);
}

}  // namespace lmtrain
