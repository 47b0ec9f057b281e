#include "data/validation_split.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "base/utf8.h"

namespace lmtrain {
namespace {

constexpr uint64_t kSplitSeed = 0x53504C4954;  // makes the split independent of other hashes

// A source holds many documents when so many distinct ones are expected in validation.
constexpr double kExpectedOfMany = 8.0;

struct Counted {
  int64_t documents = 0;
  int64_t bytes = 0;
  bool is_many = false;  // then the numbers are of the documents that showed it
};

// Reads documents of one source until there are many, and at least one for each part.
Counted count_documents(const std::vector<SourceFile>& files, double fraction, Utf8Policy utf8) {
  DocumentReader reader(files, utf8);
  Counted counted;
  std::set<uint64_t> distinct;
  bool has_training = false;
  bool has_validation = false;
  for (Document document; reader.next(document);) {
    ++counted.documents;
    counted.bytes += static_cast<int64_t>(document.text.size());
    const bool enough = static_cast<double>(distinct.size()) * fraction >= kExpectedOfMany;
    if (!enough) distinct.insert(hash_text(document.text));
    (is_for_validation(document.text, fraction) ? has_validation : has_training) = true;
    counted.is_many = enough && has_training && has_validation;
    if (counted.is_many) break;
  }
  return counted;
}

// Returns where to cut a document, at or after `at`: behind a line if one ends there, else before a
// character. Ids are cut between two.
size_t cut_place(const Document& document, size_t at) {
  const std::string_view text = document.text;
  if (document.tokens_of) {
    constexpr size_t kIdBytes = sizeof(int32_t);
    return std::min(text.size(), (at + kIdBytes - 1) / kIdBytes * kIdBytes);
  }
  const size_t line_end = text.find('\n', at);
  if (line_end != std::string_view::npos && line_end + 1 < text.size()) return line_end + 1;
  while (at < text.size() && !starts_character(text[at])) ++at;
  return at;
}

void log_tail(const Counted& found, int source, double fraction) {
  log_info(cat("data.sources[", source, "] holds ", counted(found.documents, "document"),
               ", too few to choose from: the last ", shortest(fraction),
               " of its text is for validation (data.validation_fraction)"));
}

}  // namespace

bool is_for_validation(std::string_view text, double fraction) {
  return static_cast<double>(hash_text(text, kSplitSeed)) < std::ldexp(fraction, 64);
}

ValidationSplit::ValidationSplit(const std::vector<SourceFile>& files, double fraction,
                                 Utf8Policy utf8)
    : fraction_(fraction) {
  if (files.empty()) return;
  tails_.resize(static_cast<size_t>(files.back().source) + 1);
  if (fraction_ == 0.0) return;
  for (int source = 0; source <= files.back().source; ++source) {
    std::vector<SourceFile> own;
    std::ranges::copy_if(files, std::back_inserter(own),
                         [&](const SourceFile& file) { return file.source == source; });
    const Counted counted = count_documents(own, fraction_, utf8);
    if (counted.is_many || counted.documents == 0) continue;
    const double kept = (1.0 - fraction_) * static_cast<double>(counted.bytes);
    tails_[static_cast<size_t>(source)] = Tail{std::llround(kept), 0};
    log_tail(counted, source, fraction_);
  }
}

std::vector<ValidationSplit::Part> ValidationSplit::split(const Document& document) {
  const std::string_view text = document.text;
  std::optional<Tail>& tail = tails_[static_cast<size_t>(document.source)];
  if (!tail) return {{text, is_for_validation(text, fraction_)}};
  const int64_t before = tail->passed;
  tail->passed += static_cast<int64_t>(text.size());
  if (tail->passed <= tail->begin) return {{text, false}};
  if (before >= tail->begin) return {{text, true}};
  const size_t cut = cut_place(document, static_cast<size_t>(tail->begin - before));
  if (cut == text.size()) return {{text, false}};
  if (cut == 0) return {{text, true}};
  return {{text.substr(0, cut), false}, {text.substr(cut), true}};
}

}  // namespace lmtrain
