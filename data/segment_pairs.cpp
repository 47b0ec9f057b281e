#include "data/segment_pairs.h"

#include <algorithm>
#include <span>

#include "base/philox.h"

namespace lmtrain {
namespace {

constexpr int64_t kNumSpecialTokens = 3;  // [CLS] first [SEP] second [SEP]
constexpr int kTriesForAnotherDocument = 10;
constexpr double kNegativeShare = 0.5;

// A line's place in the file, including the separator after it.
struct Line {
  int64_t begin;
  int32_t num_stored;
  int64_t num_tokens() const { return num_stored - 1; }
};

// The lines of a file, document by document.
class Lines {
 public:
  explicit Lines(const TokenFile& file) {
    const auto separator = static_cast<int32_t>(file.header().end_token);
    const std::span<const uint64_t> offsets = file.document_offsets();
    std::vector<int32_t> tokens;
    for (size_t d = 0; d + 1 < offsets.size(); ++d) {
      first_line_.push_back(lines_.size());
      tokens.resize(offsets[d + 1] - offsets[d]);
      file.read(static_cast<int64_t>(offsets[d]), tokens);
      size_t begin = 0;
      for (size_t i = 0; i < tokens.size(); ++i) {
        if (tokens[i] != separator) continue;
        if (i > begin) {
          lines_.push_back(
              {static_cast<int64_t>(offsets[d] + begin), static_cast<int32_t>(i + 1 - begin)});
        }
        begin = i + 1;
      }
    }
    first_line_.push_back(lines_.size());
  }

  int64_t num_documents() const { return static_cast<int64_t>(first_line_.size()) - 1; }
  std::span<const Line> of(int64_t document) const {
    const size_t begin = first_line_[static_cast<size_t>(document)];
    const size_t end = first_line_[static_cast<size_t>(document) + 1];
    return std::span(lines_).subspan(begin, end - begin);
  }

 private:
  std::vector<Line> lines_;
  std::vector<size_t> first_line_;
};

Segment joined(std::span<const Line> lines) {
  const int64_t end = lines.back().begin + lines.back().num_stored;
  return {lines.front().begin, static_cast<int32_t>(end - lines.front().begin)};
}

int64_t num_tokens(std::span<const Line> lines) {
  int64_t total = 0;
  for (const Line& line : lines) total += line.num_tokens();
  return total;
}

// Makes the pairs of one document.
class PairMaker {
 public:
  PairMaker(const Lines& lines, const PairRule& rule, int64_t document,
            std::vector<SegmentPair>& pairs)
      : lines_(lines),
        rule_(rule),
        document_(document),
        draws_(purpose_key(
            rule.seed, "pairs",
            static_cast<uint64_t>(rule.duplicate) << 40 | static_cast<uint64_t>(document))),
        pairs_(pairs) {}

  void make() {
    const std::span<const Line> own = lines_.of(document_);
    size_t begin = 0;
    target_ = draw_target();
    int64_t length = 0;
    for (size_t i = 0; i < own.size(); ++i) {
      length += own[i].num_tokens();
      if (i + 1 < own.size() && length < target_) continue;
      const size_t used = pair_up(own.subspan(begin, i + 1 - begin));
      begin += used;
      i = begin - 1;
      length = 0;
    }
  }

 private:
  int64_t draw_target() {
    const int64_t most = rule_.sequence_length - kNumSpecialTokens;
    if (most <= 2 || draws_.next() >= rule_.short_fraction) return most;
    return 2 + draws_.below(most - 1);
  }

  // Makes a pair from these lines and returns how many of them it used.
  size_t pair_up(std::span<const Line> chunk) {
    const size_t num_first =
        chunk.size() < 2
            ? 1
            : 1 + static_cast<size_t>(draws_.below(static_cast<int64_t>(chunk.size()) - 1));
    const std::span<const Line> first = chunk.first(num_first);
    const std::span<const Line> rest = chunk.subspan(num_first);
    if (rule_.kind == PairKind::kSentenceOrder) {
      add_in_some_order(first, rest);
      return chunk.size();
    }
    if (!rest.empty() && draws_.next() >= kNegativeShare) {
      pairs_.push_back({joined(first), joined(rest), false});
      return chunk.size();
    }
    pairs_.push_back({joined(first), from_elsewhere(target_ - num_tokens(first)), true});
    return num_first;
  }

  void add_in_some_order(std::span<const Line> first, std::span<const Line> rest) {
    Segment one = joined(first);
    Segment two;
    if (!rest.empty()) {
      two = joined(rest);
    } else {
      const int64_t size = first.front().num_tokens();
      if (size < 2) return;  // one token cannot be cut
      const int64_t cut = 1 + draws_.below(size - 1);
      two = {one.begin + cut, static_cast<int32_t>(one.num_stored - cut)};
      one.num_stored = static_cast<int32_t>(cut);
    }
    const bool is_swapped = draws_.next() < kNegativeShare;
    pairs_.push_back({is_swapped ? two : one, is_swapped ? one : two, is_swapped});
  }

  // Returns lines from a random one on, of another document if ten tries find one,
  // else of this one.
  Segment from_elsewhere(int64_t wanted) {
    int64_t other = document_;
    for (int i = 0; i < kTriesForAnotherDocument; ++i) {
      other = draws_.below(lines_.num_documents());
      if (other != document_ && !lines_.of(other).empty()) break;
    }
    if (lines_.of(other).empty()) other = document_;
    const std::span<const Line> lines = lines_.of(other);
    const auto start = static_cast<size_t>(draws_.below(static_cast<int64_t>(lines.size())));
    size_t count = 1;
    int64_t length = lines[start].num_tokens();
    while (length < wanted && start + count < lines.size())
      length += lines[start + count++].num_tokens();
    return joined(lines.subspan(start, count));
  }

  const Lines& lines_;
  const PairRule& rule_;
  int64_t document_;
  UniformStream draws_;
  std::vector<SegmentPair>& pairs_;
  int64_t target_ = 0;
};

}  // namespace

std::vector<SegmentPair> pair_segments(const TokenFile& file, const PairRule& rule) {
  const Lines lines(file);
  std::vector<SegmentPair> pairs;
  for (int64_t document = 0; document < lines.num_documents(); ++document)
    PairMaker(lines, rule, document, pairs).make();
  return pairs;
}

}  // namespace lmtrain
