#include "data/next_token_loader.h"

#include <utility>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"

namespace lmtrain {

void require_one_sample(const TokenFile& file, int64_t sequence_length) {
  if (file.num_tokens() > sequence_length) return;
  throw DataError(cat(file.path().string(), " holds ", file.num_tokens(),
                      " tokens, but data.sequence_length = ", sequence_length, " needs at least ",
                      sequence_length + 1,
                      "; lower it, add text, or change data.validation_fraction"));
}

NextTokenLoader::NextTokenLoader(TokenFile file, int64_t sequence_length, SampleOrder order,
                                 uint64_t seed)
    : Loader(sequence_length, order, seed), file_(std::move(file)) {
  require_one_sample(file_, sequence_length);
  set_num_samples((file_.num_tokens() - 1) / sequence_length);
}

Batch NextTokenLoader::empty_batch(int64_t num_samples) const {
  return batch_without_samples(num_samples, sequence_length(), file_.header().end_of_text);
}

// A document's end token belongs to the document, as its last token.
void NextTokenLoader::fill_row(Batch& batch, size_t row, int64_t index) const {
  const auto length = static_cast<size_t>(sequence_length());
  std::vector<int32_t> tokens(length + 1);
  file_.read(sample_of(index) * sequence_length(), tokens);
  const size_t begin = row * length;
  int32_t document = 0;
  for (size_t i = 0; i < length; ++i) {
    batch.ids[begin + i] = tokens[i];
    batch.labels[begin + i] = tokens[i + 1];
    batch.weights[begin + i] = 1.0F;
    batch.document_ids[begin + i] = document;
    batch.padding_mask[begin + i] = 1;
    if (tokens[i] == file_.header().end_of_text) ++document;
  }
  batch.sample_hashes[row] = hash_bytes(tokens.data(), tokens.size() * sizeof(int32_t));
}

}  // namespace lmtrain
