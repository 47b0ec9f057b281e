#include "data/tokenizer/bert_characters.h"

#include <algorithm>

#include "base/text.h"
#include "data/tokenizer/tables_version.h"

namespace lmtrain {

namespace {

const BertTables& tables_of(BertProfile profile) {
  return profile == BertProfile::kHf ? kHfBertTables : kGoogleBertTables;
}

}  // namespace

BertCharacters::BertCharacters(const BertTables& tables)
    : tables_(tables), flags_(std::make_unique<uint8_t[]>(kNumCodePoints)) {
  const auto set = [&](uint32_t code_point, uint8_t flag) { flags_[code_point] |= flag; };
  const auto set_range = [&](const CodePointRange& range, uint8_t flag) {
    for (uint32_t c = range.first; c <= range.last; ++c) set(c, flag);
  };
  const auto set_all = [&](std::span<const CodePointRange> ranges, uint8_t flag) {
    for (const CodePointRange& range : ranges) set_range(range, flag);
  };
  set_all(tables.deleted, kDeleted);
  set_all(tables.spaces, kSpace);
  set_all(tables.cjk, kCjk);
  set_all(tables.marks, kMark);
  set_all(tables.whitespace, kWhitespace);
  set_all(tables.punctuation, kPunctuation);
  set_range(kHangulSyllables, kComposed);
  for (const auto& entry : tables.canonical.singles) set(entry.from, kComposed);
  for (const auto& entry : tables.canonical.pairs) set(entry.from, kComposed);
  for (const auto& entry : tables.canonical.more_pairs) set(entry.from, kComposed);
  for (const auto& run : tables.canonical.combining_classes)
    set_range({run.first, run.last}, kComposed);
  for (const LowerCaseRun& run : tables.lower) {
    for (uint32_t c = run.first; c <= run.last; c += run.step) set(c, kUpper);
  }
  set(kDottedI, kUpper);
}

const BertCharacters& BertCharacters::of(BertProfile profile) {
  static const BertCharacters hf(kHfBertTables);
  if (profile == BertProfile::kHf) return hf;
  static const BertCharacters google(kGoogleBertTables);
  return google;
}

uint32_t BertCharacters::lower(uint32_t code_point) const {
  const auto after = std::ranges::upper_bound(tables_.lower, code_point, {}, &LowerCaseRun::first);
  if (after == tables_.lower.begin()) return code_point;
  const LowerCaseRun& run = *std::prev(after);
  if (code_point > run.last || (code_point - run.first) % run.step != 0) return code_point;
  return code_point + static_cast<uint32_t>(run.difference);
}

BertProfile parse_bert_profile(JsonObject& object) {
  BertProfile profile = BertProfile::kHf;
  if (object.find("profile") != nullptr) {
    if (object.text("profile") != "google") object.fail("profile", "only 'google' is known");
    profile = BertProfile::kGoogle;
  }
  check_tables_version(object, tables_of(profile).version);
  return profile;
}

std::string bert_profile_json(BertProfile profile) {
  return cat(profile == BertProfile::kGoogle ? R"(,"profile":"google")" : "",
             R"(,"unicode_tables":")", tables_of(profile).version, R"(")");
}

}  // namespace lmtrain
