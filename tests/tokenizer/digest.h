// Digests the words of a block of characters into one number, as scripts/reference_bert.py does.
#pragma once

#include <cstdint>
#include <iomanip>
#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "data/tokenizer/utf8_character.h"

namespace lmtrain {

// `words_of` splits a text into a list of words.
template <class WordsOf>
std::string digest(const WordsOf& words_of, uint32_t begin, uint32_t end) {
  uint64_t number = 0xCBF29CE484222325;
  const auto take = [&](std::string_view text) {
    for (const char byte : text) number = (number ^ static_cast<uint8_t>(byte)) * 0x100000001B3;
  };
  const char* separator = "";
  for (uint32_t c = begin; c < end; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string character;
    append_utf8(c, character);
    take(separator);
    take(join(words_of(cat("a", character, " ", character, "A")), "\t"));
    separator = "\n";
  }
  return cat(std::hex, std::setw(16), std::setfill('0'), number);
}

// `runs` are [digest, number of blocks that have it].
template <class WordsOf>
void expect_digests(const WordsOf& words_of, const nlohmann::json& runs, const std::string& name) {
  constexpr uint32_t kBlock = 4096;
  uint32_t begin = 0;
  for (const auto& run : runs) {
    for (int i = 0; i < run[1].get<int>(); ++i, begin += kBlock) {
      EXPECT_EQ(digest(words_of, begin, begin + kBlock), run[0])
          << name << ", from " << std::hex << begin;
    }
  }
  EXPECT_EQ(begin, 0x110000u);
}

}  // namespace lmtrain
