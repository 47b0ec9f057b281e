#include "data/file_documents.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/csv.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "base/strict_json.h"
#include "base/text.h"
#include "base/utf8.h"
#include "data/byte_stream.h"
#include "data/line_reader.h"
#include "data/token_documents.h"

namespace lmtrain {
namespace {

constexpr int kMaxJsonDepth = 64;
constexpr size_t kLargestDocument = size_t{1} << 30;

Document owned(std::string text) {
  auto owner = std::make_shared<const std::string>(std::move(text));
  return {*owner, owner};
}

// Returns the first line of `text` with its line break, if it has one.
std::string_view first_line(std::string_view text) {
  const size_t end = text.find('\n');
  return end == std::string_view::npos ? text : text.substr(0, end + 1);
}

// Uncompressed text: documents point into the mapped file.
class MappedText : public FileDocuments {
 public:
  MappedText(const SourceFile& source, Utf8Gate& gate)
      : source_(source),
        gate_(gate),
        file_(std::make_shared<const MappedFile>(source.path)),
        rest_(file_->text()) {
    if (rest_.starts_with(kUtf8Bom)) rest_.remove_prefix(kUtf8Bom.size());
    is_empty_ = rest_.empty();
  }

  bool next(Document& document) override {
    while (!rest_.empty() || is_empty_) {
      is_empty_ = false;
      const std::string_view text = cut();
      std::string replaced;
      switch (gate_.judge(text, replaced, [&](size_t at) {
        return cat(source_.path.string(), ", byte ", text.data() + at - file_->text().data());
      })) {
        case Utf8Gate::Verdict::kSkipped:
          continue;
        case Utf8Gate::Verdict::kReplaced:
          document = owned(std::move(replaced));
          return true;
        case Utf8Gate::Verdict::kValid:
          document = {text, file_};
          return true;
      }
    }
    return false;
  }

  int64_t position() const override { return static_cast<int64_t>(file_->size() - rest_.size()); }

 private:
  std::string_view cut() {
    if (source_.separator.empty()) return std::exchange(rest_, {});
    const std::string_view start = rest_;
    while (!rest_.empty()) {
      const std::string_view line = first_line(rest_);
      const auto length = static_cast<size_t>(line.data() - start.data());
      rest_.remove_prefix(line.size());
      if (without_line_break(line) == source_.separator)
        return without_line_break(start.substr(0, length));
    }
    return without_line_break(start);
  }

  SourceFile source_;
  Utf8Gate& gate_;
  std::shared_ptr<const MappedFile> file_;
  std::string_view rest_;
  bool is_empty_ = false;
};

// Base of all formats that are read line by line.
class StreamedDocuments : public FileDocuments {
 public:
  StreamedDocuments(const SourceFile& source, Utf8Gate& gate)
      : source_(source), gate_(gate), lines_(source.path) {}

  int64_t position() const override { return lines_.position(); }

 protected:
  const SourceFile& source() const { return source_; }
  bool next_line(std::string_view& line) { return lines_.next(line); }
  std::string place(int64_t line) const { return cat(source_.path.string(), ":", line); }
  std::string place() const { return place(lines_.line_number()); }
  int64_t line_number() const { return lines_.line_number(); }
  // Throws when a document or record, which must fit in memory, is too large.
  void require_size(size_t bytes, int64_t first_line) const {
    if (bytes <= kLargestDocument) return;
    throw DataError(cat(place(first_line),
                        ": the document that begins here is over 1 GiB; give a separator that cuts "
                        "it, or for plain text the file uncompressed"));
  }
  // Returns false when the UTF-8 policy skips the text.
  bool passes(std::string& text, int64_t first_line) {
    std::string replaced;
    const Utf8Gate::Verdict verdict =
        gate_.judge(text, replaced, [&](size_t) { return place(first_line); });
    if (verdict == Utf8Gate::Verdict::kReplaced) text = std::move(replaced);
    return verdict != Utf8Gate::Verdict::kSkipped;
  }

 private:
  SourceFile source_;
  Utf8Gate& gate_;
  LineReader lines_;
};

class StreamedText : public StreamedDocuments {
 public:
  using StreamedDocuments::StreamedDocuments;

  bool next(Document& document) override {
    while (!is_done_) {
      std::string text;
      const int64_t first_line = line_number() + 1;
      if (!read(text)) return false;
      if (!passes(text, first_line)) continue;
      document = owned(std::move(text));
      return true;
    }
    return false;
  }

 private:
  // Returns false when nothing follows the last separator.
  bool read(std::string& text) {
    const std::string& separator = source().separator;
    const int64_t first = line_number() + 1;
    std::string_view line;
    bool found = line_number() == 0 && separator.empty();
    while (next_line(line)) {
      found = true;
      if (!separator.empty() && without_line_break(line) == separator) {
        text.resize(without_line_break(text).size());
        return true;
      }
      text += line;
      require_size(text.size(), first);
    }
    is_done_ = true;
    if (!separator.empty()) text.resize(without_line_break(text).size());
    return found || line_number() == 0;
  }

  bool is_done_ = false;
};

class JsonLines : public StreamedDocuments {
 public:
  using StreamedDocuments::StreamedDocuments;

  bool next(Document& document) override {
    std::string_view line;
    while (next_line(line)) {
      if (line.find_first_not_of(" \t\r\n") == std::string_view::npos) continue;
      std::string text(line);
      if (!passes(text, line_number())) continue;
      const nlohmann::json value = parse_strict_json(text, place(), kMaxJsonDepth);
      document = owned(JsonObject(value, place()).text(source().field));
      return true;
    }
    return false;
  }
};

class Table : public StreamedDocuments {
 public:
  Table(const SourceFile& source, Utf8Gate& gate, char delimiter)
      : StreamedDocuments(source, gate),
        rows_(CsvRecords([this](std::string_view& line) { return next_line(line); },
                         source.path.string(), delimiter)) {
    const std::vector<std::string>& names = rows_.columns();
    if (names.empty()) return;  // an empty file has no documents
    const auto found = std::find(names.begin(), names.end(), source.field);
    if (found == names.end()) {
      throw DataError(cat(place(), ": there is no column ", show_text(source.field),
                          " (data.sources' field); the columns are ", join(names, ", ")));
    }
    column_ = static_cast<size_t>(found - names.begin());
  }

  bool next(Document& document) override {
    std::vector<std::string> fields;
    while (rows_.next(fields)) {
      if (!passes(fields[column_], rows_.line())) continue;
      document = owned(std::move(fields[column_]));
      return true;
    }
    return false;
  }

 private:
  CsvTableReader rows_;
  size_t column_ = 0;
};

}  // namespace

std::unique_ptr<FileDocuments> open_documents(const SourceFile& file, Utf8Gate& gate) {
  switch (file.format) {
    case SourceFormat::kJsonLines:
      return std::make_unique<JsonLines>(file, gate);
    case SourceFormat::kCommas:
      return std::make_unique<Table>(file, gate, ',');
    case SourceFormat::kTabs:
      return std::make_unique<Table>(file, gate, '\t');
    case SourceFormat::kLlmc:
    case SourceFormat::kMegatron:
      return open_token_documents(file);
    case SourceFormat::kText:
      break;
  }
  if (compression_of(file.path) == Compression::kNone)
    return std::make_unique<MappedText>(file, gate);
  return std::make_unique<StreamedText>(file, gate);
}

}  // namespace lmtrain
