#include "data/tokenise.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <future>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"
#include "data/documents.h"
#include "data/validation_split.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

constexpr size_t kChunkTextBytes = size_t{1} << 20;

// A piece of a document, in most cases all of it.
struct Piece {
  Document document;  // its text is the piece
  bool for_validation;
  bool is_last;  // of its document, or of the part of it that is for validation or not
};
using Chunk = std::vector<Piece>;

struct EncodedPiece {
  size_t num_ids;
  int64_t num_text_bytes;  // bytes of the piece
  int source;
  bool for_validation;
  bool is_last;
};

struct EncodedChunk {
  std::vector<int32_t> ids;  // of all its pieces, one after the other
  std::vector<EncodedPiece> pieces;
};

// Lends encoders to threads: each has a word cache that is worth keeping.
class EncoderPool {
 public:
  explicit EncoderPool(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  std::unique_ptr<Tokenizer::Encoder> take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return std::make_unique<Tokenizer::Encoder>(tokenizer_);
    std::unique_ptr<Tokenizer::Encoder> encoder = std::move(free_.back());
    free_.pop_back();
    return encoder;
  }
  void give_back(std::unique_ptr<Tokenizer::Encoder> encoder) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(encoder));
  }

 private:
  const Tokenizer& tokenizer_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Tokenizer::Encoder>> free_;
};

SpecialTokens special_tokens_of(const TokeniseOptions& options, const Document& document) {
  if (options.special_tokens.empty()) return SpecialTokens::kAsText;
  return options.special_tokens[static_cast<size_t>(document.source)];
}

// Groups the reader's documents into chunks of about 1 MiB, and cuts large documents into pieces.
class ChunkReader {
 public:
  ChunkReader(DocumentReader& reader, ValidationSplit split, const Tokenizer& tokenizer,
              const TokeniseOptions& options)
      : reader_(reader), split_(std::move(split)), tokenizer_(tokenizer), options_(options) {}

  // Returns an empty chunk after the last document.
  Chunk next() {
    Chunk chunk;
    size_t bytes = 0;
    while (bytes < kChunkTextBytes && (!parts_.empty() || open_document())) {
      ValidationSplit::Part& part = parts_.front();
      const bool is_whole = options_.keeps_lines_apart || document_.tokens_of != nullptr ||
                            special_tokens_of(options_, document_) == SpecialTokens::kMatched;
      const size_t room = kChunkTextBytes - bytes;
      const bool fits = is_whole || part.text.size() <= room;
      const size_t length = fits ? part.text.size() : tokenizer_.safe_cut(part.text, room);
      Piece piece = {document_, part.for_validation, length == part.text.size()};
      piece.document.text = part.text.substr(0, length);
      part.text.remove_prefix(length);
      if (piece.is_last) parts_.pop_front();
      bytes += length;
      chunk.push_back(std::move(piece));
    }
    return chunk;
  }

 private:
  bool open_document() {
    if (!reader_.next(document_)) return false;
    std::ranges::copy(split_.split(document_), std::back_inserter(parts_));
    return true;
  }

  DocumentReader& reader_;
  ValidationSplit split_;
  const Tokenizer& tokenizer_;
  const TokeniseOptions& options_;
  Document document_;
  std::deque<ValidationSplit::Part> parts_;  // what is left of the open document
};

// Puts the end token between lines. The writer puts it after the last line.
void encode_lines(std::string_view text, int32_t end_of_line, SpecialTokens special_tokens,
                  Tokenizer::Encoder& encoder, std::vector<int32_t>& ids) {
  const size_t start = ids.size();
  while (!text.empty()) {
    const std::string_view line = cut_line(text);
    const size_t before = ids.size();
    if (before > start) ids.push_back(end_of_line);
    const size_t begin = ids.size();
    if (line.find_first_not_of(" \t\r") != std::string_view::npos)
      encoder.encode(line, ids, special_tokens);
    if (ids.size() == begin) ids.resize(before);
  }
}

// Copies token ids without the beginning and end token, which the writer puts around each document.
void append_tokens(std::string_view bytes, const Tokenizer& tokenizer, std::vector<int32_t>& ids) {
  std::vector<int32_t> own(bytes.size() / sizeof(int32_t));
  std::memcpy(own.data(), bytes.data(), own.size() * sizeof(int32_t));
  std::span<const int32_t> rest = own;
  const int32_t end = tokenizer.end_of_text();
  const auto is_start = [&](int32_t id) { return id == end || id == tokenizer.begin_of_text(); };
  if (!rest.empty() && is_start(rest.front())) rest = rest.subspan(1);
  if (!rest.empty() && rest.back() == end) rest = rest.first(rest.size() - 1);
  ids.insert(ids.end(), rest.begin(), rest.end());
}

int64_t text_bytes_of(std::span<const int32_t> ids, const Tokenizer& tokenizer,
                      const fs::path& file) {
  int64_t bytes = 0;
  for (const int32_t id : ids) {
    if (id >= tokenizer.vocab_size()) {
      throw DataError(cat(file.string(), " holds a token ", id, ", but the tokenizer has ",
                          tokenizer.vocab_size(),
                          " entries; "
                          "tokenizer.path must be the one that made the tokens"));
    }
    bytes += tokenizer.token_num_bytes(id);
  }
  return bytes;
}

EncodedChunk encode(const Chunk& chunk, const TokeniseOptions& options, const Tokenizer& tokenizer,
                    EncoderPool& encoders) {
  const int32_t end_of_line = tokenizer.end_of_text();
  std::unique_ptr<Tokenizer::Encoder> encoder = encoders.take();
  EncodedChunk encoded;
  for (const Piece& piece : chunk) {
    const std::string_view text = piece.document.text;
    const SpecialTokens special_tokens = special_tokens_of(options, piece.document);
    const size_t before = encoded.ids.size();
    if (piece.document.tokens_of) {
      append_tokens(text, tokenizer, encoded.ids);
    } else if (options.keeps_lines_apart) {
      encode_lines(text, end_of_line, special_tokens, *encoder, encoded.ids);
    } else {
      encoder->encode(text, encoded.ids, special_tokens);
    }
    const std::span<const int32_t> ids(encoded.ids.data() + before, encoded.ids.size() - before);
    const int64_t text_bytes = piece.document.tokens_of
                                   ? text_bytes_of(ids, tokenizer, *piece.document.tokens_of)
                                   : static_cast<int64_t>(text.size());
    encoded.pieces.push_back(
        {ids.size(), text_bytes, piece.document.source, piece.for_validation, piece.is_last});
  }
  encoders.give_back(std::move(encoder));
  return encoded;
}

// Writes the training file and, when there is one, the validation file.
class SplitWriter {
 public:
  SplitWriter(const fs::path& folder, const TokenizerIdentity& tokenizer, bool with_validation,
              int num_sources)
      : folder_(folder),
        train_(folder / kTrainFile, tokenizer),
        train_documents_(static_cast<size_t>(num_sources)),
        validation_documents_(static_cast<size_t>(num_sources)) {
    if (with_validation) validation_.emplace(folder / kValidationFile, tokenizer);
  }

  void add(const EncodedChunk& chunk) {
    std::span<const int32_t> rest = chunk.ids;
    for (const EncodedPiece& piece : chunk.pieces) {
      TokenFileWriter& writer = piece.for_validation ? *validation_ : train_;
      writer.append(rest.first(piece.num_ids));
      rest = rest.subspan(piece.num_ids);
      num_ids_ += piece.num_ids;
      num_text_bytes_ += piece.num_text_bytes;
      if (!piece.is_last) continue;
      if (std::exchange(num_ids_, 0) == 0) {  // all its characters are dropped by the tokenizer
        writer.add_empty_documents(1);
      } else {
        writer.end_document(num_text_bytes_);
        std::vector<int64_t>& documents =
            piece.for_validation ? validation_documents_ : train_documents_;
        ++documents[static_cast<size_t>(piece.source)];
      }
      num_text_bytes_ = 0;
    }
  }

  void commit(int64_t num_empty_documents) {
    train_.add_empty_documents(num_empty_documents);
    train_.commit();
    write_counts(kTrainSourcesFile, train_documents_);
    if (!validation_) return;
    validation_->commit();
    write_counts(kValidationSourcesFile, validation_documents_);
  }

 private:
  void write_counts(const char* name, const std::vector<int64_t>& counts) const {
    std::string lines;
    for (const int64_t count : counts) lines += cat(count, "\n");
    write_file_durably(folder_ / name, lines);
  }

  fs::path folder_;
  TokenFileWriter train_;
  std::optional<TokenFileWriter> validation_;
  std::vector<int64_t> train_documents_;  // by source
  std::vector<int64_t> validation_documents_;
  size_t num_ids_ = 0;  // ids of the open document so far
  int64_t num_text_bytes_ = 0;
};

}  // namespace

TokenizerIdentity identity_of(const Tokenizer& tokenizer, TokenizerUse use) {
  const int32_t end = tokenizer.end_of_text();
  TokenizerIdentity identity = {tokenizer.vocab_size(), -1, end, tokenizer.hash()};
  if (use == TokenizerUse::kMaskedTokens) return identity;
  const int32_t begin = tokenizer.begin_of_text();
  identity.start_token = begin < 0 ? end : begin;
  if (identity.start_token == end) identity.end_token = -1;
  return identity;
}

void refuse_empty_sources(int64_t num_empty_documents) {
  throw DataError(cat("data.sources hold no text: all ", num_empty_documents,
                      " documents are empty; name files with text"));
}

// Chunks are encoded in parallel and written in the order in which they were read.
void tokenise(const std::vector<SourceFile>& files, const Tokenizer& tokenizer,
              const TokeniseOptions& options, const fs::path& folder,
              const std::function<void(double)>& progress) {
  DocumentReader reader(files, options.utf8);
  EncoderPool encoders(tokenizer);
  SplitWriter writer(folder, identity_of(tokenizer, options.use), options.validation_fraction > 0.0,
                     files.empty() ? 0 : files.back().source + 1);
  std::deque<std::future<EncodedChunk>> in_work;
  const auto write_oldest = [&] {
    writer.add(in_work.front().get());
    in_work.pop_front();
    progress(reader.fraction_done());
  };
  ChunkReader chunks(reader, ValidationSplit(files, options.validation_fraction, options.utf8),
                     tokenizer, options);
  for (Chunk chunk = chunks.next(); !chunk.empty(); chunk = chunks.next()) {
    if (in_work.size() > static_cast<size_t>(options.num_threads)) write_oldest();
    in_work.push_back(std::async(std::launch::async, [&, chunk = std::move(chunk)] {
      return encode(chunk, options, tokenizer, encoders);
    }));
  }
  while (!in_work.empty()) write_oldest();
  warn_of_invalid_text(reader.gate());
  reader.warn_of_unused_separators();
  if (reader.num_documents() == 0) refuse_empty_sources(reader.num_empty_documents());
  writer.commit(reader.num_empty_documents());
}

}  // namespace lmtrain
