#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "energy/totals.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

// The rank of a ledger file: 12 for "rank-00012.jsonl".
std::optional<int64_t> rank_of(const fs::path& path) {
  const std::string name = path.stem();
  if (path.extension() != ".jsonl" || !name.starts_with("rank-")) return std::nullopt;
  int64_t rank = 0;
  const char* end = name.data() + name.size();
  const auto [at, error] = std::from_chars(name.data() + 5, end, rank);
  if (error != std::errc() || at != end) return std::nullopt;
  return rank;
}

// Adds the next record of a ledger to its attempts.
struct AddToAttempts {
  std::vector<EnergyTotals>& attempts;

  void operator()(const AttemptStart& start) const { attempts.emplace_back(start); }
  void operator()(const EnergySample& sample) const { current().add(sample); }
  void operator()(const AttemptStop&) const { current().stopped = true; }
  void operator()(const LedgerMend& mend) const { current().lost_lines += mend.lost_lines; }

 private:
  EnergyTotals& current() const {
    if (attempts.empty())
      throw DataError("there is a record before the start of the first attempt");
    return attempts.back();
  }
};

}  // namespace

void RunLedgers::find_new_files() {
  std::error_code error;
  for (fs::directory_iterator at(folder_, error), end; !error && at != end; at.increment(error)) {
    const std::optional<int64_t> rank = rank_of(at->path());
    if (!rank || *rank % num_shares_ != share_) continue;
    if (std::find(known_.begin(), known_.end(), at->path()) != known_.end()) continue;
    known_.push_back(at->path());
    ledgers_.push_back({LedgerReader(at->path()), {}});
  }
}

std::vector<EnergyTotals> RunLedgers::refresh() {
  find_new_files();
  std::vector<EnergyTotals> all;
  for (RankLedger& ledger : ledgers_) {
    const AddToAttempts add{ledger.attempts};
    ledger.reader.read_new([&](const LedgerRecord& record) { std::visit(add, record); });
    all.insert(all.end(), ledger.attempts.begin(), ledger.attempts.end());
  }
  return all;
}

NextAttempt next_attempt(const fs::path& folder) {
  NextAttempt next;
  std::error_code error;
  std::vector<fs::path> ledgers;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    if (rank_of(at->path())) ledgers.push_back(at->path());
  }
  for (const fs::path& path : ledgers) {
    std::vector<EnergyTotals> attempts;
    const AddToAttempts add{attempts};
    try {
      LedgerReader(path).read_new([&](const LedgerRecord& record) { std::visit(add, record); });
    } catch (const Error& problem) {
      const fs::path aside = set_aside(path);
      log_warn(cat("the ledger ", path.string(), " is set aside as ", aside.string(), ": ",
                   problem.what()));
      next.notes.push_back(cat("The energy of earlier attempts in ", aside.filename().string(),
                               " could not be read and is not in these numbers."));
    }
    for (const EnergyTotals& totals : attempts)
      next.number = std::max(next.number, totals.start.attempt + 1);
  }
  return next;
}

}  // namespace lmtrain
