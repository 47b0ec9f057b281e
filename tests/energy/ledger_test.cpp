#include "energy/ledger/ledger.h"

#include <csignal>

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "base/durable_file.h"
#include "base/error.h"
#include "tests/energy/fake_machine.h"

namespace lmtrain {
namespace {

AttemptStart start_of(int64_t attempt) {
  AttemptStart start;
  start.attempt = attempt;
  start.place = {3, 8, 1, 3, "node-b"};
  start.wall_seconds = 1.7e9;
  start.first_step = 100 * attempt;
  start.sensors = {{"rapl:package-0", "RAPL package-0", DeviceKind::kCpu, Quality::kMeasured},
                   {"model:memory", "memory", DeviceKind::kMemory, Quality::kModelled}};
  start.job = BatchJob{"slurm", "77_3", 2, 4, "node[1-4]", "alps", "normal", std::nullopt};
  return start;
}

EnergySample sample_at(double seconds, int64_t step) {
  EnergySample sample;
  sample.seconds = seconds;
  sample.wall_seconds = 1.7e9 + seconds;
  sample.cpu_seconds = 1.5 * seconds;
  sample.step = step;
  sample.phase_seconds[static_cast<size_t>(Phase::kForward)] = 1.0;
  sample.readings = {reading_within(1.0, 12.25, 0.1), missing_reading("Permission denied")};
  return sample;
}

std::vector<LedgerRecord> read_all(LedgerReader& reader) {
  std::vector<LedgerRecord> records;
  reader.read_new([&](const LedgerRecord& record) { records.push_back(record); });
  return records;
}
std::vector<LedgerRecord> read_all(const std::filesystem::path& path) {
  LedgerReader reader(path);
  return read_all(reader);
}

void append_text(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::app) << text;
}

class Ledger : public testing::Test {
 protected:
  FakeMachine machine_;
  std::filesystem::path path_ = ledger_path(machine_.root(), 3);
};

// Defect: a field lost or changed on its way through the file.
TEST_F(Ledger, GivesBackWhatWasWritten) {
  EXPECT_EQ(path_.filename(), "rank-00003.jsonl");
  LedgerWriter writer(path_);
  writer.append(start_of(1));
  writer.append(sample_at(1.5, 107));
  writer.append(AttemptStop{2.5});
  const auto records = read_all(path_);
  ASSERT_EQ(records.size(), 3u);
  const auto& start = std::get<AttemptStart>(records[0]);
  EXPECT_EQ(start.place.host, "node-b");
  EXPECT_EQ(start.place.rank, 3);
  EXPECT_EQ(start.place.num_ranks, 8);
  EXPECT_EQ(start.first_step, 100);
  ASSERT_TRUE(start.job);
  EXPECT_EQ(start.job->id, "77_3");
  EXPECT_EQ(start.job->restarts, 2);
  EXPECT_EQ(start.job->nodes, "node[1-4]");
  EXPECT_EQ(start.job->partition, "normal");
  EXPECT_EQ(start.sensors[1].key, "model:memory");
  EXPECT_EQ(start.sensors[1].kind, DeviceKind::kMemory);
  EXPECT_EQ(start.sensors[1].quality, Quality::kModelled);
  const auto& sample = std::get<EnergySample>(records[1]);
  EXPECT_EQ(sample.seconds, 1.5);
  EXPECT_EQ(sample.step, 107);
  EXPECT_EQ(sample.cpu_seconds, 2.25);
  EXPECT_EQ(sample.phase_seconds[static_cast<size_t>(Phase::kForward)], 1.0);
  EXPECT_EQ(sample.readings[0].joules, 12.25);
  EXPECT_EQ(sample.readings[0].low, 11.025);
  EXPECT_EQ(sample.readings[1].missing, "Permission denied");
  EXPECT_EQ(std::get<AttemptStop>(records[2]).seconds, 2.5);
}

// Defect: a crash in the middle of a line makes the whole ledger unreadable, or glues the next
// attempt to the torn line.
TEST_F(Ledger, PassesOverALineThatACrashTore) {
  { LedgerWriter(path_).append(start_of(1)); }
  append_text(path_, R"({"t":1.5,"wall":17)");
  EXPECT_EQ(read_all(path_).size(), 1u);
  { LedgerWriter(path_).append(start_of(2)); }
  const auto records = read_all(path_);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(std::get<AttemptStart>(records[1]).attempt, 2);
}

// Defect: damage in the middle of a ledger taken for a torn line, so that energy is lost without an
// error.
TEST_F(Ledger, RefusesDamageElsewhere) {
  LedgerWriter writer(path_);
  writer.append(start_of(1));
  append_text(path_, "garbage\n");
  writer.append(sample_at(1.0, 100));
  try {
    read_all(path_);
    FAIL() << "accepted";
  } catch (const DataError& error) {
    EXPECT_NE(std::string(error.what()).find("rank-00003.jsonl:2: not valid JSON"),
              std::string::npos)
        << error.what();
  }
}

// Defect: a record with a wrong type, a negative energy or an unknown name read as something else.
TEST_F(Ledger, RefusesLinesThatAreNoRecords) {
  const std::string good = to_line(sample_at(1.0, 5));
  EXPECT_NO_THROW(parse_ledger_line(good));
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string line = good;
    return line.replace(line.find(from), from.size(), to);
  };
  EXPECT_THROW(parse_ledger_line(changed("12.25", "-12.25")), DataError);
  EXPECT_THROW(parse_ledger_line(changed("12.25", "\"12.25\"")), DataError);
  EXPECT_THROW(parse_ledger_line(changed("\"step\":5", "\"step\":5.5")), DataError);
  EXPECT_THROW(parse_ledger_line(changed("forward", "foreword")), DataError);
  EXPECT_THROW(parse_ledger_line(changed("\"wall\"", "\"wool\"")), DataError);
  EXPECT_THROW(parse_ledger_line(changed("\"memory\":0.0", "\"memory\":-1.0")), DataError);
  std::string start = to_line(start_of(1));
  EXPECT_NO_THROW(parse_ledger_line(start));
  EXPECT_THROW(parse_ledger_line(start.replace(start.find("\"77_3\""), 6, "77")), DataError);
  EXPECT_THROW(parse_ledger_line("{}"), DataError);
  EXPECT_THROW(parse_ledger_line("[1]"), DataError);
}

// Defect: a reader that starts over, or loses the line that was half written.
TEST_F(Ledger, IsReadWhileItGrows) {
  LedgerWriter writer(path_);
  writer.append(start_of(1));
  LedgerReader reader(path_);
  EXPECT_EQ(read_all(reader).size(), 1u);
  const std::string line = to_line(sample_at(1.0, 100));
  append_text(path_, line.substr(0, 20));
  EXPECT_EQ(read_all(reader).size(), 0u);
  append_text(path_, line.substr(20) + "\n");
  EXPECT_EQ(read_all(reader).size(), 1u);
  EXPECT_EQ(read_all(reader).size(), 0u);
}

// Defect: a full disk ends the run, or loses the energy of the time in which it was full.
TEST_F(Ledger, WaitsWhileTheDiskIsFull) {
  LedgerWriter writer(path_);
  writer.append(start_of(1));
  std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit before = {};
  getrlimit(RLIMIT_FSIZE, &before);
  // There is room for a part of a line, so that the first write is torn.
  struct rlimit full = before;
  full.rlim_cur = std::filesystem::file_size(path_) + 25;
  setrlimit(RLIMIT_FSIZE, &full);
  writer.append(sample_at(1.0, 100));
  EXPECT_TRUE(writer.failing());
  writer.append(sample_at(2.0, 101));
  setrlimit(RLIMIT_FSIZE, &before);
  writer.append(sample_at(3.0, 102));
  EXPECT_FALSE(writer.failing());

  const auto records = read_all(path_);
  ASSERT_EQ(records.size(), 5u);
  EXPECT_EQ(std::get<LedgerMend>(records[1]).lost_lines, 0);
  EXPECT_EQ(std::get<EnergySample>(records[2]).step, 100);
  EXPECT_EQ(std::get<EnergySample>(records[4]).step, 102);
}

}  // namespace
}  // namespace lmtrain
