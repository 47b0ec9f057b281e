// A cache of the ids of recent words: text repeats its words so often that most are found here.
// A direct-mapped table of 64-byte entries, one cache line each, 8 MiB in all.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace lmtrain {

class WordCache {
 public:
  static constexpr size_t kMaxWordBytes = 31;
  static constexpr size_t kMaxIds = 7;

  // A word of at most kMaxWordBytes, zero-padded, its size in the last byte.
  using Key = std::array<uint64_t, 4>;

  WordCache() : entries_(kNumEntries) {}

  // `text_end` is the end of the text that the word is a view of; bytes up to it may be read.
  static Key key(std::string_view word, const char* text_end) {
    Key result{};
    if (text_end - word.data() >= static_cast<ptrdiff_t>(sizeof(Key))) {
      // Reading 32 bytes and masking those after the word is faster than a copy of unknown size.
      std::memcpy(result.data(), word.data(), sizeof(Key));
      for (size_t i = 0; i < result.size(); ++i) result[i] &= kMasks[word.size()][i];
    } else {
      std::memcpy(result.data(), word.data(), word.size());
    }
    result[3] |= uint64_t{word.size()} << 56;
    return result;
  }

  // Writes kMaxIds numbers to `ids`, of which the first n are the word's ids, and returns n.
  // Returns 0 when the word is not in the cache (every word has at least one id).
  size_t find(const Key& key, int32_t* ids) const {
    const Entry& entry = entries_[slot(key)];
    std::memcpy(ids, entry.ids.data(), sizeof entry.ids);  // of fixed size: a few instructions
    return same(entry.key, key) ? entry.num_ids : 0;
  }

  // Replaces the word that has the same slot. Words of more than kMaxIds ids are not kept.
  void insert(const Key& key, std::span<const int32_t> ids) {
    if (ids.size() > kMaxIds) return;
    Entry& entry = entries_[slot(key)];
    entry.key = key;
    entry.num_ids = static_cast<uint32_t>(ids.size());
    std::memcpy(entry.ids.data(), ids.data(), ids.size_bytes());
  }

 private:
  static_assert(std::endian::native == std::endian::little);
  static constexpr size_t kNumEntries = size_t{1} << 17;

  struct alignas(64) Entry {
    Key key{};  // all zero: empty, since every word has a size
    std::array<int32_t, kMaxIds> ids{};
    uint32_t num_ids = 0;
  };

  static constexpr auto kMasks = [] {
    std::array<Key, kMaxWordBytes + 1> masks{};
    for (size_t size = 0; size <= kMaxWordBytes; ++size) {
      for (size_t i = 0; i < size; ++i) masks[size][i / 8] |= uint64_t{0xFF} << (i % 8 * 8);
    }
    return masks;
  }();

  static bool same(const Key& a, const Key& b) {
    return ((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3])) == 0;
  }

  static size_t slot(const Key& key) {
    const uint64_t mixed = key[0] * 0x9E3779B97F4A7C15 + key[1] * 0xC2B2AE3D27D4EB4F +
                           key[2] * 0x165667B19E3779F9 + key[3] * 0xD6E8FEB86659FD93;
    return static_cast<size_t>((mixed ^ mixed >> 29) * 0x9E3779B97F4A7C15 >> 47);
  }

  std::vector<Entry> entries_;
};

}  // namespace lmtrain
