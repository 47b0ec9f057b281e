#include "data/next_token_loader.h"

#include <algorithm>
#include <span>
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

Batch NextTokenLoader::empty_batch(std::span<const int64_t> indices) const {
  const TokenFileHeader& header = file_.header();
  const int64_t filler = header.start_token >= 0 ? header.start_token : header.end_token;
  return batch_without_samples(std::ssize(indices), sequence_length(), filler);
}

// A document's range begins with its start token, so that its first word is predicted from that
// token alone where documents are isolated.
void NextTokenLoader::fill_row(Batch& batch, size_t row, int64_t index) const {
  const auto length = static_cast<size_t>(sequence_length());
  const auto first = static_cast<uint64_t>(sample_of(index) * sequence_length());
  std::vector<int32_t> tokens(length + 1);
  file_.read(static_cast<int64_t>(first), tokens);
  const std::span<const uint64_t> offsets = file_.document_offsets();
  auto next_document = std::ranges::upper_bound(offsets, first);
  batch.sample_places[row] = static_cast<int64_t>(first);
  const size_t begin = row * length;
  int32_t document = 0;
  for (size_t i = 0; i < length; ++i) {
    if (*next_document == first + i) {
      ++document;
      ++next_document;
    }
    batch.ids[begin + i] = tokens[i];
    batch.labels[begin + i] = tokens[i + 1];
    batch.weights[begin + i] = 1.0F;
    batch.document_ids[begin + i] = document;
    batch.padding_mask[begin + i] = 1;
  }
  batch.sample_hashes[row] = hash_bytes(tokens.data(), tokens.size() * sizeof(int32_t));
}

}  // namespace lmtrain
