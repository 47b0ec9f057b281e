#include <algorithm>

#include "data/tokenizer/canonical_tables.h"

namespace lmtrain {

namespace {

// Unicode Standard, 3.12.
constexpr uint32_t kFirstSyllable = kHangulSyllables.first;
constexpr uint32_t kNumSyllables = kHangulSyllables.last + 1 - kFirstSyllable;
constexpr uint32_t kFirstLead = 0x1100;
constexpr uint32_t kFirstVowel = 0x1161;
constexpr uint32_t kFirstTail = 0x11A7;  // stands for no tail
constexpr uint32_t kNumVowels = 21;
constexpr uint32_t kNumTails = 28;

CanonicalCharacters decompose_hangul(uint32_t syllable) {
  const uint32_t index = syllable - kFirstSyllable;
  const uint32_t tail = index % kNumTails;
  return {{kFirstLead + index / (kNumVowels * kNumTails),
           kFirstVowel + index / kNumTails % kNumVowels, kFirstTail + tail},
          tail == 0 ? 2u : 3u};
}

constexpr uint32_t kNumLeads = 19;

template <class Element>
const Element* find(std::span<const Element> sorted, uint32_t code_point) {
  const auto found = std::ranges::lower_bound(sorted, code_point, {}, &Element::from);
  return found != sorted.end() && found->from == code_point ? &*found : nullptr;
}

}  // namespace

CanonicalCharacters decompose(const CanonicalTables& tables, uint32_t code_point) {
  if (code_point - kFirstSyllable < kNumSyllables) return decompose_hangul(code_point);
  CanonicalCharacters result = {{}, 0};
  while (true) {
    const PairDecomposition* pair = find(tables.pairs, code_point);
    if (pair == nullptr) pair = find(tables.more_pairs, code_point);
    if (pair != nullptr) {
      result.code_points[result.size++] = pair->second;
      code_point = pair->first;
      continue;
    }
    const SingleDecomposition* single = find(tables.singles, code_point);
    if (single == nullptr) break;
    code_point = single->to;
  }
  result.code_points[result.size++] = code_point;
  std::reverse(result.code_points.begin(), result.code_points.begin() + result.size);
  return result;
}

uint32_t compose_hangul(uint32_t first, uint32_t second) {
  const uint32_t lead = first - kFirstLead;
  const uint32_t vowel = second - kFirstVowel;
  if (lead < kNumLeads && vowel < kNumVowels)
    return kFirstSyllable + (lead * kNumVowels + vowel) * kNumTails;
  const uint32_t syllable = first - kFirstSyllable;
  const uint32_t tail = second - kFirstTail;
  if (syllable < kNumSyllables && syllable % kNumTails == 0 && tail > 0 && tail < kNumTails)
    return first + tail;
  return 0;
}

uint8_t combining_class(const CanonicalTables& tables, uint32_t code_point) {
  const auto& runs = tables.combining_classes;
  const auto after = std::ranges::upper_bound(runs, code_point, {}, &CombiningClassRun::first);
  if (after == runs.begin()) return 0;
  const CombiningClassRun& run = *std::prev(after);
  return code_point <= run.last ? run.combining_class : uint8_t{0};
}

}  // namespace lmtrain
