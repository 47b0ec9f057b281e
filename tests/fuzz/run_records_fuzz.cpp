// What a run keeps of itself: from any bytes, records are read, left out with a warning, or a
// DataError.
#include <string>

#include "base/error.h"
#include "base/log.h"
#include "energy/ledger/ledger.h"
#include "energy/report/run_facts.h"
#include "tests/fuzz/file_of_bytes.h"
#include "trainer/run/metrics.h"
#include "trainer/run/run_list.h"

namespace {

template <class Read>
void try_to(const Read& read) {
  try {
    read();
  } catch (const lmtrain::DataError&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lmtrain;
  lmtrain::Parts parts(data, size);
  const RunFolder folder{empty_folder("run")};
  std::filesystem::create_directories(folder.energy());
  const std::string ledger(parts.next());
  write_text(ledger_path(folder.energy(), 0), ledger);
  const std::string facts(parts.next());
  write_text(folder.facts(), facts);
  write_text(folder.summary(), facts);
  write_text(folder.emissions(), parts.next());
  write_text(folder.ending(), parts.next());
  write_text(folder.lock(), parts.next());
  write_text(folder.config(), parts.next());
  write_text(folder.metrics(), parts.next(/*is_last=*/true));
  try_to([&] { parse_ledger_line(ledger); });
  try_to([&] { parse_run_facts(facts); });
  summary_of(folder);  // leaves out what is damaged
  MetricsLog(folder.metrics(), {5, 100, 1.0});
  return 0;
}
