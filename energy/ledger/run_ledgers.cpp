#include <algorithm>
#include <optional>
#include <string>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "energy/ledger/totals.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

// The rank of a ledger file: 12 for "rank-00012.jsonl".
std::optional<int64_t> rank_of(const fs::path& path) {
  const std::string name = path.stem();
  if (path.extension() != ".jsonl" || !name.starts_with("rank-")) return std::nullopt;
  return parse_integer(std::string_view(name).substr(5));
}

// Calls visit(rank, path) for each ledger of the folder. One that cannot be listed has none.
template <class Visit>
void for_each_ledger(const fs::path& folder, const Visit& visit) {
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    if (const std::optional<int64_t> rank = rank_of(at->path())) visit(*rank, at->path());
  }
}

// Adds the next record of a ledger to its attempts.
struct AddToAttempts {
  std::vector<EnergyTotals>& attempts;
  const IntensitySeries* otherwise = nullptr;

  void operator()(const AttemptStart& start) const { attempts.emplace_back(start); }
  void operator()(const EnergySample& sample) const {
    const double since = sample.seconds - current().seconds;
    const double now = sample.wall_seconds;
    current().add(sample, otherwise != nullptr ? otherwise->mean(now - since, now) : std::nullopt);
  }
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
  for_each_ledger(folder_, [&](int64_t rank, const fs::path& path) {
    if (rank % num_shares_ != share_) return;
    if (std::find(known_.begin(), known_.end(), path) != known_.end()) return;
    known_.push_back(path);
    ledgers_.push_back({LedgerReader(path), {}});
  });
}

std::vector<EnergyTotals> RunLedgers::refresh() {
  find_new_files();
  std::vector<EnergyTotals> all;
  for (RankLedger& ledger : ledgers_) {
    const AddToAttempts add{ledger.attempts, otherwise_.get()};
    ledger.reader.read_new([&](const LedgerRecord& record) { std::visit(add, record); });
    all.insert(all.end(), ledger.attempts.begin(), ledger.attempts.end());
  }
  return all;
}

NextAttempt next_attempt(const fs::path& folder) {
  NextAttempt next;
  std::vector<fs::path> ledgers;  // listed first, because some may be renamed
  for_each_ledger(folder, [&](int64_t, const fs::path& path) { ledgers.push_back(path); });
  for (const fs::path& path : ledgers) {
    std::vector<EnergyTotals> attempts;
    const AddToAttempts add{attempts};
    try {
      LedgerReader(path).read_new([&](const LedgerRecord& record) { std::visit(add, record); });
      if (attempts.empty()) throw DataError("it holds no attempt");
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
