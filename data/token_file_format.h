// Layout of a token file, shared by its writer and its reader. Little-endian, version 2:
//
//   header        TokenFileHeader, 256 bytes
//   tokens        num_tokens × token_bytes, zeros up to a multiple of 64 bytes
//   offsets       (num_documents + 1) × uint64: first token of each document, then num_tokens
//   block hashes  one uint64 (XXH3) for each block of kTokenBlockBytes of the tokens section
//                 (padding included); the last block may be shorter
//   footer        TokenFileFooter, 32 bytes
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/hash.h"

namespace lmtrain {

static_assert(std::endian::native == std::endian::little, "token files are mapped, not converted");

inline constexpr std::array<char, 8> kTokenFileMagic = {'L', 'M', 'T', 'O', 'K', 'E', 'N', 'S'};
inline constexpr uint32_t kTokenFileVersion = 2;
inline constexpr uint32_t kEndianTag = 0x01020304;
inline constexpr int64_t kTokenAlignment = 64;
inline constexpr int64_t kTokenBlockBytes = int64_t{1} << 20;

struct TokenFileHeader {
  std::array<char, 8> magic = kTokenFileMagic;
  uint32_t version = kTokenFileVersion;
  uint32_t endian_tag = kEndianTag;
  int64_t vocab_size = 0;
  int64_t start_token = -1;  // the first token of each document, -1: none
  int64_t end_token = -1;    // the last token of each document, -1: none; one of the two is there
  uint64_t tokenizer_hash = 0;
  int64_t num_documents = 0;
  int64_t num_empty_documents = 0;  // not stored and not counted in num_documents
  int64_t num_text_bytes = 0;       // UTF-8 bytes of the documents
  int64_t num_tokens = 0;           // start and end tokens included
  int64_t token_bytes = 0;          // 2 or 4
  std::array<uint8_t, 160> reserved = {};
  uint64_t header_hash = 0;  // XXH3 of the header's bytes before this field
};
static_assert(sizeof(TokenFileHeader) == 256);

struct TokenFileFooter {
  uint64_t offsets_hash = 0;       // XXH3 of the offsets section
  uint64_t block_hashes_hash = 0;  // XXH3 of the block hashes section
  uint64_t fingerprint = 0;        // XXH3 of header_hash and the two hashes above
  std::array<char, 8> magic = kTokenFileMagic;
};
static_assert(sizeof(TokenFileFooter) == 32);

inline uint64_t hash_header(const TokenFileHeader& header) {
  return hash_bytes(&header, offsetof(TokenFileHeader, header_hash));
}

inline uint64_t hash_parts(const TokenFileHeader& header, const TokenFileFooter& footer) {
  const uint64_t parts[] = {header.header_hash, footer.offsets_hash, footer.block_hashes_hash};
  return hash_bytes(parts, sizeof parts);
}

// Ids of a vocabulary of up to 65,536 entries fit two bytes.
inline int64_t token_bytes_for(int64_t vocab_size) { return vocab_size <= 65536 ? 2 : 4; }

// With counts up to this the sums of TokenFileLayout do not overflow.
inline constexpr int64_t kMaxTokenFileCount = int64_t{1} << 56;

// The offsets of the sections in the file, in bytes. The header's counts must
// be at most kMaxTokenFileCount.
struct TokenFileLayout {
  int64_t offsets_at = 0;
  int64_t block_hashes_at = 0;
  int64_t footer_at = 0;
  int64_t file_bytes = 0;
  int64_t num_blocks = 0;

  explicit TokenFileLayout(const TokenFileHeader& header) {
    const int64_t tokens_at = sizeof(TokenFileHeader);
    const int64_t used_bytes = header.num_tokens * header.token_bytes;
    offsets_at = tokens_at + (used_bytes + kTokenAlignment - 1) / kTokenAlignment * kTokenAlignment;
    num_blocks = (offsets_at - tokens_at + kTokenBlockBytes - 1) / kTokenBlockBytes;
    block_hashes_at = offsets_at + (header.num_documents + 1) * 8;
    footer_at = block_hashes_at + num_blocks * 8;
    file_bytes = footer_at + static_cast<int64_t>(sizeof(TokenFileFooter));
  }
};

}  // namespace lmtrain
