// The energy of using a model: what one command, or a server, spends from its start on, by the same
// meters as training. Loading the model counts as start-up, the rest as inference.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "base/phase.h"
#include "energy/grid/energy_price.h"
#include "energy/ledger/power_logger.h"

namespace lmtrain {

class CallEnergy {
 public:
  // Starts the meters that are this rank's; the time since the process began counts too. On rank 0
  // they are those of the whole node, of which the job has its part.
  CallEnergy(const EnergyConfig& config, const RankPlace& place);

  // Ends start-up: from now on all is inference, or another work.
  void begin_inference() { begin(Phase::kInference); }
  void begin(Phase work);
  // What this process has spent, in J, as far as the meters have been read. It never falls.
  double joules() const { return logger_->spent_joules(); }
  // Reads the meters now.
  void read_meters() { logger_->take_sample(); }
  bool is_measured() const;
  const EnergyPrice& price() const { return price_; }

  // {"joules", "startup_joules", "seconds", "joules_per_token", "grams_co2e", "quality", "grid",
  // ...}. Reads the meters.
  nlohmann::ordered_json summary(int64_t num_tokens);
  // The same in a sentence.
  static std::string sentence(const nlohmann::ordered_json& summary);

 private:
  EnergyPrice price_;
  PhaseTracker phases_;
  std::unique_ptr<PowerLogger> logger_;
  Phase work_ = Phase::kInference;
  std::unique_ptr<PhaseScope> scope_;
};

}  // namespace lmtrain
