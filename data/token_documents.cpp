#include "data/token_documents.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <limits>
#include <vector>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/text.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

using SharedPath = std::shared_ptr<const fs::path>;

Document document_of(std::vector<int32_t> ids, const SharedPath& path) {
  auto owner = std::make_shared<const std::vector<int32_t>>(std::move(ids));
  const std::string_view bytes(reinterpret_cast<const char*>(owner->data()),
                               owner->size() * sizeof(int32_t));
  return {bytes, owner, 0, path};
}

// Reads numbers from a file at any offset and alignment.
class Numbers {
 public:
  explicit Numbers(const fs::path& path) : path_(path), file_(path) {}

  int64_t size() const { return static_cast<int64_t>(file_.size()); }

  template <class T>
  T at(int64_t offset) const {
    if (offset < 0 || offset > size() - static_cast<int64_t>(sizeof(T)))
      fail(cat("it ends at byte ", size(), ", before what should lie at ", offset));
    T value;
    std::memcpy(&value, file_.data() + offset, sizeof value);
    return value;
  }
  std::string_view text(int64_t offset, int64_t length) const {
    if (size() < offset + length) fail(cat("it has ", size(), " bytes only"));
    return file_.text().substr(static_cast<size_t>(offset), static_cast<size_t>(length));
  }
  [[noreturn]] void fail(const std::string& problem) const {
    throw DataError(cat("token file ", path_.string(), ": ", problem));
  }

 private:
  fs::path path_;
  MappedFile file_;
};

constexpr int64_t kLlmcHeaderBytes = 256 * sizeof(int32_t);
struct LlmcKind {
  int32_t magic;
  int32_t version;
  int64_t token_bytes;
  int32_t delimiter;  // stands before each document
};
constexpr LlmcKind kLlmcKinds[] = {{20240520, 1, 2, 50256}, {20240801, 7, 4, 128000}};

// Returns null when `magic` is not one of llm.c's numbers.
const LlmcKind* llmc_kind(int32_t magic) {
  for (const LlmcKind& kind : kLlmcKinds) {
    if (kind.magic == magic) return &kind;
  }
  return nullptr;
}

class LlmcDocuments : public FileDocuments {
 public:
  explicit LlmcDocuments(const SourceFile& source)
      : path_(std::make_shared<const fs::path>(source.path)), file_(source.path) {
    const auto magic = file_.at<int32_t>(0);
    kind_ = llmc_kind(magic);
    if (kind_ == nullptr) file_.fail(cat("its magic number ", magic, " is none of llm.c's"));
    const auto version = file_.at<int32_t>(4);
    if (version != kind_->version)
      file_.fail(cat("version ", version, " is not ", kind_->version, ", which is known"));
    count_ = file_.at<int32_t>(8);
    const int64_t expected = kLlmcHeaderBytes + count_ * kind_->token_bytes;
    if (count_ < 0 || file_.size() != expected) {
      file_.fail(
          cat("a header of ", count_, " tokens makes ", expected, " bytes, it has ", file_.size()));
    }
  }

  bool next(Document& document) override {
    if (at_ == count_) return false;
    if (token(at_) == kind_->delimiter) ++at_;
    std::vector<int32_t> ids;
    while (at_ < count_ && token(at_) != kind_->delimiter) ids.push_back(token(at_++));
    document = document_of(std::move(ids), path_);
    return true;
  }
  int64_t position() const override { return kLlmcHeaderBytes + at_ * kind_->token_bytes; }

 private:
  int32_t token(int64_t i) const {
    const int64_t offset = kLlmcHeaderBytes + i * kind_->token_bytes;
    if (kind_->token_bytes == 2) return file_.at<uint16_t>(offset);
    const auto id = file_.at<uint32_t>(offset);
    if (id > static_cast<uint32_t>(std::numeric_limits<int32_t>::max()))
      file_.fail(cat("token ", i, " is ", id));
    return static_cast<int32_t>(id);
  }

  SharedPath path_;
  Numbers file_;
  const LlmcKind* kind_ = nullptr;
  int64_t count_ = 0;
  int64_t at_ = 0;
};

constexpr std::string_view kMegatronMagic{"MMIDIDX\0\0", 9};

class MegatronDocuments : public FileDocuments {
 public:
  explicit MegatronDocuments(const SourceFile& source)
      : path_(std::make_shared<const fs::path>(source.path)),
        index_(fs::path(source.path).replace_extension(".idx")),
        ids_(source.path) {
    if (index_.text(0, static_cast<int64_t>(kMegatronMagic.size())) != kMegatronMagic)
      index_.fail("it does not begin with MMIDIDX");
    const auto version = index_.at<uint64_t>(9);
    if (version != 1) index_.fail(cat("version ", version, " is not 1, which is known"));
    type_ = index_.at<uint8_t>(17);
    constexpr int64_t kSizes[] = {0, 1, 1, 2, 4, 8, 0, 0, 2};  // by Megatron's code of the type
    id_bytes_ = type_ < std::size(kSizes) ? kSizes[type_] : 0;
    if (id_bytes_ == 0) index_.fail(cat("type ", type_, " of ids is none of integers"));
    num_sequences_ = count(18, "sequences");
    num_marks_ = count(26, "documents");
    lengths_at_ = 34;
    places_at_ = lengths_at_ + 4 * num_sequences_;
    marks_at_ = places_at_ + 8 * num_sequences_;
    if (index_.size() < marks_at_ + 8 * num_marks_)
      index_.fail(cat("it has ", index_.size(), " bytes, its counts make more"));
    if (num_marks_ == 0 || mark(0) != 0 || mark(num_marks_ - 1) != num_sequences_)
      index_.fail("its documents do not cover its sequences");
    check_lengths();
  }

  bool next(Document& document) override {
    if (document_ + 1 >= num_marks_) return false;
    const int64_t first = mark(document_);
    const int64_t end = mark(++document_);
    if (first > end || end > num_sequences_)
      index_.fail(cat("document ", document_ - 1, " is of sequences ", first, " to ", end));
    std::vector<int32_t> ids;
    for (int64_t s = first; s < end; ++s) append(s, ids);
    document = document_of(std::move(ids), path_);
    return true;
  }
  int64_t position() const override {
    if (num_marks_ <= 1) return ids_.size();
    const double share = static_cast<double>(document_) / static_cast<double>(num_marks_ - 1);
    return static_cast<int64_t>(share * static_cast<double>(ids_.size()));
  }

 private:
  int64_t count(int64_t offset, const char* what) const {
    const auto value = index_.at<int64_t>(offset);
    if (value < 0 || value > index_.size()) index_.fail(cat("it counts ", value, " ", what));
    return value;
  }
  int64_t mark(int64_t document) const { return index_.at<int64_t>(marks_at_ + 8 * document); }

  // An index may name the same ids again and again. What it expands to is bounded before anything
  // is allocated: sequences do not overlap, so that they hold no more ids than the file.
  void check_lengths() const {
    const int64_t num_ids = ids_.size() / id_bytes_;
    int64_t total = 0;
    for (int64_t sequence = 0; sequence < num_sequences_; ++sequence) {
      total += std::max(0, index_.at<int32_t>(lengths_at_ + 4 * sequence));
      if (total > num_ids)
        index_.fail(cat("its sequences overlap: they name more ids than the ", num_ids, " of ",
                        path_->string()));
    }
  }

  void append(int64_t sequence, std::vector<int32_t>& ids) const {
    const auto length = index_.at<int32_t>(lengths_at_ + 4 * sequence);
    const auto place = index_.at<int64_t>(places_at_ + 8 * sequence);
    if (length < 0 || place < 0 || place > ids_.size() - length * id_bytes_) {
      index_.fail(cat("sequence ", sequence, " is of ", length, " ids at byte ", place, " of ",
                      ids_.size()));
    }
    for (int64_t i = 0; i < length; ++i) {
      const int64_t id = value_at(place + i * id_bytes_);
      if (id < 0 || id > std::numeric_limits<int32_t>::max())
        ids_.fail(cat("id ", i, " of sequence ", sequence, " is ", id));
      ids.push_back(static_cast<int32_t>(id));
    }
  }
  int64_t value_at(int64_t offset) const {
    switch (type_) {
      case 1:
        return ids_.at<uint8_t>(offset);
      case 2:
        return ids_.at<int8_t>(offset);
      case 3:
        return ids_.at<int16_t>(offset);
      case 4:
        return ids_.at<int32_t>(offset);
      case 5:
        return ids_.at<int64_t>(offset);
      default:
        return ids_.at<uint16_t>(offset);
    }
  }

  SharedPath path_;
  Numbers index_;
  Numbers ids_;
  size_t type_ = 0;
  int64_t id_bytes_ = 0;
  int64_t num_sequences_ = 0;
  int64_t num_marks_ = 0;  // one more than the number of documents
  int64_t lengths_at_ = 0;
  int64_t places_at_ = 0;
  int64_t marks_at_ = 0;
  int64_t document_ = 0;
};

}  // namespace

bool is_llmc_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  int32_t magic = 0;
  file.read(reinterpret_cast<char*>(&magic), sizeof magic);
  return file && llmc_kind(magic) != nullptr;
}

std::unique_ptr<FileDocuments> open_token_documents(const SourceFile& file) {
  if (file.format == SourceFormat::kMegatron) return std::make_unique<MegatronDocuments>(file);
  return std::make_unique<LlmcDocuments>(file);
}

}  // namespace lmtrain
