#include "data/masked_loader.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"

namespace lmtrain {
namespace {

constexpr int64_t kSpecialTokensOfWindow = 2;
constexpr int64_t kSpecialTokensOfPair = 3;

// Removes tokens from random ends of the longer of the two until both together fit.
void truncate(std::vector<int32_t>& first, std::vector<int32_t>& second, size_t most,
              UniformStream& draws) {
  while (first.size() + second.size() > most) {
    std::vector<int32_t>& longer = first.size() > second.size() ? first : second;
    longer.erase(draws.next() < 0.5 ? longer.begin() : longer.end() - 1);
  }
}

}  // namespace

// A sample before masking.
struct MaskedLoader::Sequence {
  std::vector<int32_t> tokens;
  std::vector<int64_t> segments;
  std::vector<int32_t> documents;
  int32_t document = 0;

  void push(int32_t token, int64_t segment) {
    tokens.push_back(token);
    segments.push_back(segment);
    documents.push_back(document);
  }
};

void require_masking_tokens(const Tokenizer& tokenizer, const std::string& place) {
  const std::pair<int32_t, const char*> needed[] = {{tokenizer.class_token(), "[CLS] or <s>"},
                                                    {tokenizer.separator_token(), "[SEP] or </s>"},
                                                    {tokenizer.pad_token(), "[PAD] or <pad>"},
                                                    {tokenizer.mask_token(), "[MASK] or <mask>"}};
  for (const auto& [id, name] : needed) {
    if (id >= 0) continue;
    throw DataError(cat(place, ": the tokenizer has no special token ", name,
                        ", which model.kind = bert needs"));
  }
}

MaskedLoader::MaskedLoader(TokenFile file, const Tokenizer& tokenizer, const DataConfig& config,
                           SampleOrder order, uint64_t seed)
    : Loader(config.sequence_length, order, seed),
      file_(std::move(file)),
      config_(config),
      rule_{config.masking, tokenizer.mask_token(), tokenizer.vocab_size()},
      word_starts_(tokenizer),
      class_token_(tokenizer.class_token()),
      separator_(tokenizer.separator_token()),
      pad_(tokenizer.pad_token()) {
  require_masking_tokens(tokenizer, file_.path().string());
  if (order != SampleOrder::kPermutedEachEpoch) config_.duplicates = 1;
  if (config_.has_pairs()) {
    for (int64_t duplicate = 0; duplicate < config_.duplicates; ++duplicate) {
      const PairRule rule = {config.pairs, config.sequence_length, config.short_fraction, seed,
                             duplicate};
      const std::vector<SegmentPair> more = pair_segments(file_, rule);
      pairs_.insert(pairs_.end(), more.begin(), more.end());
    }
    set_num_samples(static_cast<int64_t>(pairs_.size()));
  } else {
    num_windows_ = file_.num_tokens() / (config.sequence_length - kSpecialTokensOfWindow);
    set_num_samples(num_windows_ * (config_.masking.dynamic ? 1 : config_.duplicates));
  }
  if (num_samples() > 0) return;
  throw DataError(cat(file_.path().string(), " holds ", file_.num_tokens(),
                      " tokens, too few for one sequence of data.sequence_length = ",
                      config.sequence_length, "; lower it or add text"));
}

Batch MaskedLoader::empty_batch(std::span<const int64_t> indices) const {
  Batch batch = batch_without_samples(std::ssize(indices), sequence_length(), pad_);
  batch.segments.assign(batch.ids.size(), 0);
  if (config_.has_pairs()) batch.sentence_labels.assign(indices.size(), -1);
  return batch;
}

void MaskedLoader::fill_row(Batch& batch, size_t row, int64_t index) const {
  const int64_t sample = sample_of(index);
  Sequence sequence;
  if (config_.has_pairs()) {
    const SegmentPair& pair = pairs_[static_cast<size_t>(sample)];
    append_pair(pair, sample, sequence);
    batch.sample_places[row] = pair.first.begin;
    batch.sentence_labels[row] = pair.is_negative ? 1 : 0;
  } else {
    const int64_t window = sample % num_windows_;
    append_window(window, sequence);
    batch.sample_places[row] = window * (sequence_length() - kSpecialTokensOfWindow);
  }
  const size_t length = sequence.tokens.size();
  const size_t begin = row * static_cast<size_t>(sequence_length());
  std::vector<MaskRole> roles(length, MaskRole::kNever);
  for (size_t i = 0; i < length; ++i) {
    const int32_t token = sequence.tokens[i];
    batch.ids[begin + i] = token;
    batch.segments[begin + i] = sequence.segments[i];
    batch.document_ids[begin + i] = sequence.documents[i];
    batch.padding_mask[begin + i] = 1;
    if (token == class_token_ || token == separator_ || token == pad_) continue;
    const bool continues = i > 0 && word_starts_.continues_word(sequence.tokens[i - 1], token);
    roles[i] = continues ? MaskRole::kWordRest : MaskRole::kWordStart;
  }
  // Padding is a document of its own, so that it does not attend to real tokens.
  const auto padding = static_cast<ptrdiff_t>(begin) + sequence_length();
  std::fill(batch.document_ids.begin() + static_cast<ptrdiff_t>(begin + length),
            batch.document_ids.begin() + padding, sequence.document + 1);
  const int64_t drawn_for = config_.masking.dynamic ? index : sample;
  UniformStream draws(purpose_key(seed(), "masking", static_cast<uint64_t>(drawn_for)));
  mask_tokens(rule_, roles, draws, std::span(batch.ids).subspan(begin, length),
              std::span(batch.labels).subspan(begin, length),
              std::span(batch.weights).subspan(begin, length));
  const auto width = static_cast<size_t>(sequence_length());
  StreamingHash hash;
  hash.update(&batch.ids[begin], width * sizeof(int64_t));
  hash.update(&batch.labels[begin], width * sizeof(int64_t));
  batch.sample_hashes[row] = hash.digest();
}

void MaskedLoader::append_window(int64_t window, Sequence& sequence) const {
  const int64_t length = sequence_length() - kSpecialTokensOfWindow;
  std::vector<int32_t> tokens(static_cast<size_t>(length));
  file_.read(window * length, tokens);
  sequence.push(class_token_, 0);
  for (const int32_t token : tokens) {
    sequence.push(token, 0);
    if (token == separator_) ++sequence.document;
  }
  sequence.push(separator_, 0);
}

void MaskedLoader::append_pair(const SegmentPair& pair, int64_t sample, Sequence& sequence) const {
  std::vector<int32_t> first = tokens_of(pair.first);
  std::vector<int32_t> second = tokens_of(pair.second);
  UniformStream draws(purpose_key(seed(), "truncation", static_cast<uint64_t>(sample)));
  truncate(first, second, static_cast<size_t>(sequence_length() - kSpecialTokensOfPair), draws);
  sequence.push(class_token_, 0);
  for (const int32_t token : first) sequence.push(token, 0);
  sequence.push(separator_, 0);
  for (const int32_t token : second) sequence.push(token, 1);
  sequence.push(separator_, 1);
}

std::vector<int32_t> MaskedLoader::tokens_of(const Segment& segment) const {
  std::vector<int32_t> tokens(static_cast<size_t>(segment.num_stored));
  file_.read(segment.begin, tokens);
  std::erase(tokens, separator_);
  return tokens;
}

}  // namespace lmtrain
