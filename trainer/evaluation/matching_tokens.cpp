#include "trainer/evaluation/matching_tokens.h"

namespace lmtrain {
namespace {

struct Range {
  size_t begin = 0;
  size_t end = 0;
};

struct Block {
  size_t in_a = 0;
  size_t in_b = 0;
  size_t length = 0;
};

// Of equally long blocks the one that begins first in a, then in b.
Block longest_block(const std::vector<int32_t>& a, Range of_a, const std::vector<int32_t>& b,
                    Range of_b) {
  Block best;
  std::vector<size_t> lengths(of_b.end - of_b.begin + 1);  // of blocks that end before a place of b
  for (size_t i = of_a.begin; i < of_a.end; ++i) {
    for (size_t j = of_b.end; j-- > of_b.begin;) {
      size_t& length = lengths[j - of_b.begin + 1];
      length = a[i] == b[j] ? lengths[j - of_b.begin] + 1 : 0;
      const size_t in_a = i + 1 - length;
      const size_t in_b = j + 1 - length;
      const bool is_earlier =
          length == best.length && length > 0 && in_a == best.in_a && in_b < best.in_b;
      if (length > best.length || is_earlier) best = {in_a, in_b, length};
    }
  }
  return best;
}

void add_matches(const std::vector<int32_t>& a, Range of_a, const std::vector<int32_t>& b,
                 Range of_b, std::array<std::vector<size_t>, 2>& places) {
  const Block block = longest_block(a, of_a, b, of_b);
  if (block.length == 0) return;
  add_matches(a, {of_a.begin, block.in_a}, b, {of_b.begin, block.in_b}, places);
  for (size_t i = 0; i < block.length; ++i) {
    places[0].push_back(block.in_a + i);
    places[1].push_back(block.in_b + i);
  }
  add_matches(a, {block.in_a + block.length, of_a.end}, b, {block.in_b + block.length, of_b.end},
              places);
}

}  // namespace

std::array<std::vector<size_t>, 2> matching_places(const std::vector<int32_t>& a,
                                                   const std::vector<int32_t>& b) {
  std::array<std::vector<size_t>, 2> places;
  add_matches(a, {0, a.size()}, b, {0, b.size()}, places);
  return places;
}

}  // namespace lmtrain
