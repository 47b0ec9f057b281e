#include "data/labelled/packed_loader.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

#include "base/hash.h"

namespace lmtrain {
namespace {

std::vector<int64_t> lengths_of(const ExampleFile& file) {
  std::vector<int64_t> lengths;
  for (int64_t i = 0; i < file.size(); ++i) lengths.push_back(file.length(i));
  return lengths;
}

}  // namespace

std::vector<std::vector<int64_t>> packed(const std::vector<int64_t>& lengths, int64_t room) {
  std::vector<int64_t> longest_first(lengths.size());
  std::iota(longest_first.begin(), longest_first.end(), 0);
  const auto length_of = [&](int64_t example) { return lengths[static_cast<size_t>(example)]; };
  std::ranges::stable_sort(longest_first, std::greater<>(), length_of);
  std::vector<std::vector<int64_t>> packs;
  std::set<std::pair<int64_t, size_t>> open;  // room that is left, pack
  for (const int64_t example : longest_first) {
    auto best = open.lower_bound({length_of(example), 0});
    if (best == open.end()) {
      best = open.emplace(room, packs.size()).first;
      packs.emplace_back();
    }
    const auto [left, pack] = *best;
    open.erase(best);
    packs[pack].push_back(example);
    if (left > length_of(example)) open.emplace(left - length_of(example), pack);
  }
  return packs;
}

void fill_next_tokens(Batch& batch, size_t begin, const Example& example, int32_t document) {
  const size_t length = example.ids.size();
  for (size_t i = 0; i < length; ++i) {
    batch.ids[begin + i] = example.ids[i];
    batch.padding_mask[begin + i] = 1;
    batch.document_ids[begin + i] = document;
    if (i + 1 == length || example.labels[i + 1] == 0) continue;
    batch.labels[begin + i] = example.ids[i + 1];
    batch.weights[begin + i] = 1.0F;
  }
}

PackedLoader::PackedLoader(ExampleFile file, int64_t sequence_length, int64_t pad,
                           SampleOrder order, uint64_t seed)
    : Loader(sequence_length, order, seed),
      file_(std::move(file)),
      pad_(pad),
      packs_(packed(lengths_of(file_), sequence_length)) {
  set_num_samples(std::ssize(packs_));
}

Batch PackedLoader::empty_batch(std::span<const int64_t> indices) const {
  return batch_without_samples(std::ssize(indices), sequence_length(), pad_);
}

void PackedLoader::fill_row(Batch& batch, size_t row, int64_t index) const {
  const std::vector<int64_t>& pack = packs_[static_cast<size_t>(sample_of(index))];
  const size_t begin = row * static_cast<size_t>(batch.sequence_length);
  size_t at = begin;
  int32_t document = 0;
  StreamingHash hash;
  for (const int64_t place : pack) {
    const Example example = file_.at(place);
    fill_next_tokens(batch, at, example, document++);
    at += example.ids.size();
    hash.update(example.ids.data(), example.ids.size() * sizeof(int32_t));
    hash.update(example.labels.data(), example.labels.size() * sizeof(int32_t));
  }
  // Padding is a document of its own, so that it does not attend to real tokens.
  for (; at < begin + static_cast<size_t>(batch.sequence_length); ++at)
    batch.document_ids[at] = document;
  batch.sample_places[row] = pack.front();
  batch.sample_hashes[row] = hash.digest();
}

}  // namespace lmtrain
