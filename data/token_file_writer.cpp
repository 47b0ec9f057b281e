#include "data/token_file_writer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace lmtrain {
namespace {

// Converts ids to the type in which they are stored.
template <class Stored>
void narrow(std::span<const int32_t> ids, std::vector<char>& bytes) {
  bytes.resize(ids.size() * sizeof(Stored));
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto stored = static_cast<Stored>(ids[i]);
    std::memcpy(bytes.data() + i * sizeof stored, &stored, sizeof stored);
  }
}

size_t bytes_of(const std::vector<uint64_t>& values) { return values.size() * sizeof(uint64_t); }

std::vector<int32_t> token_or_none(int64_t id) {
  return id < 0 ? std::vector<int32_t>{} : std::vector{static_cast<int32_t>(id)};
}

}  // namespace

TokenFileWriter::TokenFileWriter(const std::filesystem::path& path,
                                 const TokenizerIdentity& tokenizer)
    : path_(path), file_(path) {
  header_.vocab_size = tokenizer.vocab_size;
  header_.start_token = tokenizer.start_token;
  header_.end_token = tokenizer.end_token;
  header_.tokenizer_hash = tokenizer.hash;
  header_.token_bytes = token_bytes_for(tokenizer.vocab_size);
  block_.reserve(static_cast<size_t>(kTokenBlockBytes));
  file_.write(&header_, sizeof header_);
}

void TokenFileWriter::add_document(std::span<const int32_t> ids, int64_t num_text_bytes) {
  append(ids);
  end_document(num_text_bytes);
}

void TokenFileWriter::end_document(int64_t num_text_bytes) {
  open_document();
  append_ids(token_or_none(header_.end_token));
  is_open_ = false;
  ++header_.num_documents;
  header_.num_text_bytes += num_text_bytes;
  offsets_.push_back(static_cast<uint64_t>(header_.num_tokens));
}

void TokenFileWriter::open_document() {
  if (std::exchange(is_open_, true)) return;
  append_ids(token_or_none(header_.start_token));
}

void TokenFileWriter::append(std::span<const int32_t> ids) {
  if (ids.empty()) return;
  open_document();
  append_ids(ids);
}

void TokenFileWriter::append_ids(std::span<const int32_t> ids) {
  for (const int32_t id : ids) {
    if (id < 0 || id >= header_.vocab_size) {
      throw DataError(cat("token file ", path_.string(), ": document ", header_.num_documents,
                          " holds id ", id, ", outside the tokenizer's vocabulary of ",
                          header_.vocab_size));
    }
  }
  header_.token_bytes == 2 ? narrow<uint16_t>(ids, narrowed_) : narrow<uint32_t>(ids, narrowed_);
  append_bytes(narrowed_.data(), narrowed_.size());
  header_.num_tokens += static_cast<int64_t>(ids.size());
}

void TokenFileWriter::append_bytes(const void* data, size_t size) {
  const char* from = static_cast<const char*>(data);
  while (size > 0) {
    const size_t fits = std::min(size, static_cast<size_t>(kTokenBlockBytes) - block_.size());
    block_.insert(block_.end(), from, from + fits);
    from += fits;
    size -= fits;
    if (static_cast<int64_t>(block_.size()) == kTokenBlockBytes) finish_block();
  }
}

void TokenFileWriter::finish_block() {
  block_hashes_.push_back(hash_bytes(block_.data(), block_.size()));
  file_.write(block_.data(), block_.size());
  block_.clear();
}

void TokenFileWriter::commit() {
  const TokenFileLayout layout(header_);
  const std::vector<char> padding(static_cast<size_t>(layout.offsets_at -
                                                      static_cast<int64_t>(sizeof header_) -
                                                      header_.num_tokens * header_.token_bytes));
  append_bytes(padding.data(), padding.size());
  if (!block_.empty()) finish_block();
  file_.write(offsets_.data(), bytes_of(offsets_));
  file_.write(block_hashes_.data(), bytes_of(block_hashes_));

  header_.header_hash = hash_header(header_);
  TokenFileFooter footer;
  footer.offsets_hash = hash_bytes(offsets_.data(), bytes_of(offsets_));
  footer.block_hashes_hash = hash_bytes(block_hashes_.data(), bytes_of(block_hashes_));
  footer.fingerprint = hash_parts(header_, footer);
  file_.write(&footer, sizeof footer);
  file_.write_at(0, &header_, sizeof header_);
  file_.commit();
}

}  // namespace lmtrain
