#include "energy/ledger/ledger.h"

#include <fstream>
#include <optional>

#include "base/error.h"
#include "base/text.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxWaitingLines = 4096;

bool ends_in_torn_line(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) return false;
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file || file.tellg() <= 0) return false;
  file.seekg(-1, std::ios::end);
  return file.get() != '\n';
}

bool may_follow_torn_line(const LedgerRecord& record) {
  return std::holds_alternative<AttemptStart>(record) || std::holds_alternative<LedgerMend>(record);
}

}  // namespace

fs::path ledger_path(const fs::path& folder, int64_t rank) {
  return folder / cat("rank-", zero_padded(rank, 5), ".jsonl");
}

LedgerWriter::LedgerWriter(const fs::path& path) : file_(path) {
  if (ends_in_torn_line(path)) file_.append_line("");
}

void LedgerWriter::append(const LedgerRecord& record) {
  waiting_.push_back(to_line(record));
  if (waiting_.size() > kMaxWaitingLines) {
    waiting_.pop_front();
    ++lost_lines_;
  }
  if (failing_) {
    // The last write may have left a part of a line, so this one starts with an end of line.
    if (!file_.append_line("\n" + to_line(LedgerMend{lost_lines_}))) return;
    failing_ = false;
    lost_lines_ = 0;
  }
  while (!waiting_.empty()) {
    if (!file_.append_line(waiting_.front())) {
      failing_ = true;
      return;
    }
    waiting_.pop_front();
  }
}

std::string LedgerReader::position() const { return cat(path_.string(), ":", line_); }

void LedgerReader::read_new(const std::function<void(const LedgerRecord&)>& visit) {
  const MappedFile file(path_);
  if (offset_ > file.size()) {
    throw DataError(cat(path_.string(), " became shorter while lmtrain read it"));
  }
  std::string_view text = file.text().substr(offset_);
  for (size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    offset_ += end + 1;
    ++line_;
    if (!line.empty()) read_line(line, visit);
  }
}

void LedgerReader::read_line(std::string_view line,
                             const std::function<void(const LedgerRecord&)>& visit) {
  std::optional<LedgerRecord> record;
  try {
    record = parse_ledger_line(line);
  } catch (const DataError& error) {
    // The next record tells whether this line was torn.
    if (torn_.empty()) torn_ = cat(position(), ": ", error.what());
    return;
  }
  if (!torn_.empty() && !may_follow_torn_line(*record)) throw DataError(torn_);
  torn_.clear();
  try {
    visit(*record);
  } catch (const DataError& error) {
    throw DataError(cat(position(), ": ", error.what()));
  }
}

}  // namespace lmtrain
