// The energy that the sensors of one rank counted in one attempt. It is the sum of a part of the
// rank's ledger; a running power logger keeps the same sum in memory.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/phase.h"
#include "energy/energy_range.h"
#include "energy/ledger/ledger.h"

namespace lmtrain {

struct SensorTotals {
  MeterInfo info;
  EnergyRange energy;
  double covered_seconds = 0.0;  // time with readings; the rest of the attempt is missing
  int64_t missing_readings = 0;
  std::string missing_reason;  // of the last missing reading
  std::string doubt;           // of the last reading that had one
};

// Energy over time and steps in at most kMaxPoints pieces. When there are more, neighbours are
// joined.
class EnergySeries {
 public:
  static constexpr size_t kMaxPoints = 512;
  struct Point {
    double seconds = 0.0;  // when it ends
    int64_t step = 0;      // the step being computed at its end
    std::array<double, kNumDeviceKinds> joules{};
  };

  void add(Point point);
  // Multiplies the energies of each kind of device by factor(kind).
  void scale(const std::function<double(DeviceKind)>& factor);
  const std::vector<Point>& points() const { return points_; }
  // The energy of `step` and all later steps. The steps within a point get equal parts.
  double joules_from_step(int64_t first_step, int64_t step) const;

 private:
  std::vector<Point> points_;
  size_t samples_per_point_ = 1;
  size_t samples_in_last_ = 0;
};

// Energy that was counted at the intensity of its time, by kind of device.
struct TimedEnergy {
  std::array<double, kNumDeviceKinds> joules{};
  std::array<double, kNumDeviceKinds> joule_grams{};  // multiplied by gCO2e/kWh

  void add(const std::array<double, kNumDeviceKinds>& energy, double g_per_kwh);
  void add(const TimedEnergy& more);
  void scale(const std::function<double(DeviceKind)>& factor);
  double all_joules() const;
  // The mean intensity of `joules`: of those that were counted here, and of the rest at
  // `otherwise`.
  double mean_g_per_kwh(double joules, double otherwise) const;
};

struct EnergyTotals {
  AttemptStart start;
  bool stopped = false;  // whether it ended in order; false if it crashed or still runs
  double seconds = 0.0;
  double cpu_seconds = 0.0;
  double meter_seconds = 0.0;
  // What the rank used of its node, and what was used of the node in all; the second on the first
  // rank of a node. Byte-seconds are the use of memory over time.
  double memory_byte_seconds = 0.0;
  double node_busy_cpu_seconds = 0.0;
  double node_memory_byte_seconds = 0.0;
  int64_t last_step = 0;
  int64_t lost_lines = 0;
  std::vector<SensorTotals> sensors;
  std::array<double, kNumPhases> phase_seconds{};
  // By kind of device; sums to joules().
  std::array<std::array<double, kNumDeviceKinds>, kNumPhases> phase_joules{};
  EnergySeries series;
  TimedEnergy timed;            // by the intensities in the ledger
  TimedEnergy timed_otherwise;  // by those of another series (RunLedgers)

  EnergyTotals() = default;
  explicit EnergyTotals(AttemptStart attempt_start);

  // Adds a sample; `otherwise` is another intensity of its time. Throws DataError when it does not
  // fit the attempt.
  void add(const EnergySample& sample, std::optional<double> otherwise = std::nullopt);
  double joules() const;
  double joules_in(Phase phase) const;
  // The same with the job's part of its node alone, taking it that the job's other ranks on the
  // node use as much as this one.
  double own_joules() const;
};

// One line of text, for sending between ranks. parse_energy_totals throws DataError.
std::string to_json(const std::vector<EnergyTotals>& totals);
std::vector<EnergyTotals> parse_energy_totals(std::string_view text);

// Sums up the ledgers in a run's folder runs/NAME/energy as far as they have been written. Each
// refresh() reads only what is new.
//
// Ranks share the work: share i of n reads the files whose rank is i modulo n. So every file is
// read once, also the files of ranks that only earlier attempts had.
class RunLedgers {
 public:
  //
  // `otherwise` is what EnergyTotals::timed_otherwise is counted by; null for nothing.
  explicit RunLedgers(std::filesystem::path folder, int64_t share = 0, int64_t num_shares = 1,
                      std::shared_ptr<const IntensitySeries> otherwise = nullptr)
      : folder_(std::move(folder)),
        share_(share),
        num_shares_(num_shares),
        otherwise_(std::move(otherwise)) {}

  // One entry for each rank and attempt. Throws DataError with file and line, and IoError.
  std::vector<EnergyTotals> refresh();

 private:
  struct RankLedger {
    LedgerReader reader;
    std::vector<EnergyTotals> attempts;
  };
  void find_new_files();

  std::filesystem::path folder_;
  int64_t share_;
  int64_t num_shares_;
  std::shared_ptr<const IntensitySeries> otherwise_;
  std::vector<std::filesystem::path> known_;
  std::vector<RankLedger> ledgers_;
};

// 1 + the last attempt in any ledger of the folder. One rank calls this before any rank opens its
// ledger, and tells the others. A ledger that is damaged or cannot be read is set aside
// (set_aside), with a warning and a sentence in `notes`, which is empty where no energy was lost: a
// record must not stop a run.
struct NextAttempt {
  int64_t number = 1;
  std::vector<std::string> notes;
};
NextAttempt next_attempt(const std::filesystem::path& folder);

}  // namespace lmtrain
