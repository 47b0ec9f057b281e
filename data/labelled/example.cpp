#include "data/labelled/example.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

// Little-endian, as the machines are that lmtrain runs on. The header is followed by the arrays in
// the order of ExampleFile's members; those of 8 bytes come first, so that all are aligned.
struct Header {
  std::array<char, 8> magic = {'L', 'M', 'E', 'X', 'A', 'M', 'P', '1'};
  uint64_t tokenizer_hash = 0;
  int64_t num_examples = 0;
  int64_t num_tokens = 0;
  int64_t num_labels = 0;
  int64_t num_bytes = 0;  // entries of Example::bytes
  uint64_t hash = 0;      // XXH3 of all that follows the header
};
static_assert(sizeof(Header) == 56);

constexpr int64_t kMost = int64_t{1} << 40;

int64_t size_of(const Header& header) {
  const int64_t of_examples = 3 * (header.num_examples + 1) + 3 * header.num_examples;
  return static_cast<int64_t>(sizeof header) + 8 * of_examples +
         4 * (2 * header.num_tokens + header.num_labels + header.num_bytes);
}

[[noreturn]] void refuse(const fs::path& path, const std::string& problem) {
  throw DataError(cat(path.string(), ": ", problem, "; delete its folder to have it made again"));
}

template <class T>
void append(std::vector<char>& out, const std::vector<T>& values) {
  const auto* const bytes = reinterpret_cast<const char*>(values.data());
  out.insert(out.end(), bytes, bytes + values.size() * sizeof(T));
}

}  // namespace

void ExampleFile::write(const fs::path& path, const std::vector<Example>& examples,
                        uint64_t tokenizer_hash) {
  std::vector<int64_t> token_begins = {0};
  std::vector<int64_t> label_begins = {0};
  std::vector<int64_t> byte_begins = {0};
  std::vector<int64_t> texts;
  std::vector<int64_t> passage_begins;
  std::vector<double> values;
  std::vector<int32_t> ids;
  std::vector<int32_t> type_ids;
  std::vector<int32_t> labels;
  std::vector<int32_t> bytes;
  const auto extend = [](std::vector<int32_t>& all, const std::vector<int32_t>& more,
                         std::vector<int64_t>& begins) {
    all.insert(all.end(), more.begin(), more.end());
    begins.push_back(std::ssize(all));
  };
  for (const Example& example : examples) {
    extend(ids, example.ids, token_begins);
    type_ids.insert(type_ids.end(), example.type_ids.begin(), example.type_ids.end());
    extend(labels, example.labels, label_begins);
    extend(bytes, example.bytes, byte_begins);
    texts.push_back(example.text);
    passage_begins.push_back(example.passage_begin);
    values.push_back(example.value);
  }
  std::vector<char> content;
  for (const std::vector<int64_t>* numbers :
       {&token_begins, &label_begins, &byte_begins, &texts, &passage_begins})
    append(content, *numbers);
  append(content, values);
  for (const std::vector<int32_t>* numbers : {&ids, &type_ids, &labels, &bytes})
    append(content, *numbers);
  Header header;
  header.tokenizer_hash = tokenizer_hash;
  header.num_examples = std::ssize(examples);
  header.num_tokens = std::ssize(ids);
  header.num_labels = std::ssize(labels);
  header.num_bytes = std::ssize(bytes);
  header.hash = hash_bytes(content.data(), content.size());
  DurableFile file(path, static_cast<int64_t>(sizeof header + content.size()));
  file.write(&header, sizeof header);
  file.write(content.data(), content.size());
  file.commit();
}

ExampleFile ExampleFile::open(const fs::path& path) {
  ExampleFile file(path);
  file.check(path);
  return file;
}

template <class T>
std::span<const T> ExampleFile::array(int64_t& at, int64_t count) const {
  const std::span<const T> values(reinterpret_cast<const T*>(file_->data() + at),
                                  static_cast<size_t>(count));
  at += count * static_cast<int64_t>(sizeof(T));
  return values;
}

ExampleFile::ExampleFile(const fs::path& path) : file_(std::make_shared<const MappedFile>(path)) {
  Header header;
  const auto size = static_cast<int64_t>(file_->size());
  if (size < static_cast<int64_t>(sizeof header)) refuse(path, "it is too short");
  std::memcpy(&header, file_->data(), sizeof header);
  if (header.magic != Header().magic) refuse(path, "it is no file of examples");
  for (const int64_t count :
       {header.num_examples, header.num_tokens, header.num_labels, header.num_bytes}) {
    if (count < 0 || count > kMost) refuse(path, cat("a count of ", count));
  }
  if (size_of(header) != size)
    refuse(path, cat("expected ", size_of(header), " bytes, found ", size));
  num_examples_ = header.num_examples;
  num_tokens_ = header.num_tokens;
  tokenizer_hash_ = header.tokenizer_hash;
  fingerprint_ = hash_bytes(&header, sizeof header);
  int64_t at = sizeof header;
  token_begins_ = array<int64_t>(at, num_examples_ + 1);
  label_begins_ = array<int64_t>(at, num_examples_ + 1);
  byte_begins_ = array<int64_t>(at, num_examples_ + 1);
  texts_ = array<int64_t>(at, num_examples_);
  passage_begins_ = array<int64_t>(at, num_examples_);
  values_ = array<double>(at, num_examples_);
  ids_ = array<int32_t>(at, num_tokens_);
  type_ids_ = array<int32_t>(at, num_tokens_);
  labels_ = array<int32_t>(at, header.num_labels);
  bytes_ = array<int32_t>(at, header.num_bytes);
  const std::byte* const content = file_->data() + sizeof header;
  if (hash_bytes(content, file_->size() - sizeof header) != header.hash)
    refuse(path, "its content has changed");
  for (int64_t i = 0; i < num_examples_; ++i) longest_ = std::max(longest_, length(i));
}

// The hash only finds accidents. What a rank reads must be in the arrays whatever the file holds.
void ExampleFile::check(const fs::path& path) const {
  const auto check_begins = [&](std::span<const int64_t> begins, size_t count) {
    const bool is_whole = begins.front() == 0 && begins.back() == static_cast<int64_t>(count);
    if (!is_whole || !std::ranges::is_sorted(begins)) refuse(path, "its offsets are not in order");
  };
  check_begins(token_begins_, ids_.size());
  check_begins(label_begins_, labels_.size());
  check_begins(byte_begins_, bytes_.size());
  if (std::ranges::any_of(ids_, [](int32_t id) { return id < 0; })) refuse(path, "a negative id");
  for (int64_t i = 0; i < num_examples_; ++i) {
    const auto place = static_cast<size_t>(i);
    const int64_t passage = (byte_begins_[place + 1] - byte_begins_[place]) / 2;
    const bool fits = length(i) > 0 && passage_begins_[place] >= 0 &&
                      passage_begins_[place] + passage <= length(i) && texts_[place] >= 0;
    if (!fits) refuse(path, cat("example ", i, " contradicts itself"));
  }
}

int64_t ExampleFile::length(int64_t index) const {
  const auto place = static_cast<size_t>(index);
  return token_begins_[place + 1] - token_begins_[place];
}

Example ExampleFile::at(int64_t index) const {
  const auto place = static_cast<size_t>(index);
  const auto part = [&](std::span<const int32_t> all, std::span<const int64_t> begins) {
    const auto begin = all.begin() + begins[place];
    return std::vector<int32_t>(begin, all.begin() + begins[place + 1]);
  };
  Example example;
  example.ids = part(ids_, token_begins_);
  example.type_ids = part(type_ids_, token_begins_);
  example.labels = part(labels_, label_begins_);
  example.bytes = part(bytes_, byte_begins_);
  example.value = values_[place];
  example.text = texts_[place];
  example.passage_begin = passage_begins_[place];
  return example;
}

}  // namespace lmtrain
