#include "trainer/checkpoint/resume_compatibility.h"

#include <array>
#include <cmath>
#include <cstdio>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "trainer/config/load_config.h"
#include "trainer/step/schedule.h"

namespace lmtrain {

std::vector<std::string> changed_keys(const Config& before, const Config& now, OnResume rule) {
  std::vector<std::string> changed;
  for (const ConfigChange& change : config_changes(values_of(before), values_of(now))) {
    if (change.on_resume != rule) continue;
    changed.push_back(
        cat(change.key, " (", change.before, " in the checkpoint, ", change.now, " now)"));
  }
  return changed;
}

void check_resume_compatibility(const Config& before, const Config& now) {
  const std::vector<std::string> refused = changed_keys(before, now, OnResume::kFixed);
  if (!refused.empty()) {
    throw ConfigError(cat("the checkpoint was made with another config: ", join(refused, ", "),
                          "; set them back, or choose another run.name to start anew"));
  }
  for (const std::string& changed : changed_keys(before, now, OnResume::kWarned)) {
    log_info(cat("changed since the checkpoint: ", changed));
  }
}

namespace {

// A rate to four digits, for reading.
std::string rounded(double rate) {
  std::array<char, 32> text;
  const int length = std::snprintf(text.data(), text.size(), "%.4g", rate);
  return {text.data(), static_cast<size_t>(length)};
}

// Settings under which the next steps have the present rate, which then falls as it does at the end of
// any run.
std::string settings_that_go_on(const Config& before, const Config& now, int64_t done,
                                double share) {
  const auto left = static_cast<double>(now.train.steps - done);
  const double longest = left / static_cast<double>(now.train.steps);
  std::string settings =
      cat("schedule.kind=constant_then_decay schedule.warmup_steps=0 optimizer.lr=",
          shortest(before.optimizer.lr * share));
  if (now.optimizer.kind == OptimizerKind::kMuon)
    settings += cat(" optimizer.muon.lr=", shortest(before.optimizer.muon.lr * share));
  if (now.schedule.decay_fraction > longest) {
    const double half = std::floor(500 * longest) / 1000;  // the other half is constant
    settings += cat(" schedule.decay_fraction=", shortest(half));
  }
  return settings;
}

}  // namespace

std::optional<RateNote> rate_note(const Config& before, const Config& now, int64_t done) {
  if (done == 0 || done >= now.train.steps) return std::nullopt;
  const auto rate = [](const Config& config, int64_t step) {
    return learning_rate(config.schedule, config.optimizer.lr, config.train.steps, step);
  };
  const bool was_to_end = done >= before.train.steps;
  const double present = rate(before, done - 1);
  const double next = rate(now, done);
  if (next == (was_to_end ? present : rate(before, done))) return std::nullopt;
  RateNote note;
  note.text =
      cat("the learning rate was ", rounded(present), " at step ", done,
          was_to_end ? ", the last one" : cat(" and was to be ", rounded(rate(before, done))),
          "; it is ", rounded(next), " at step ", done + 1, " now");
  note.is_warning =
      next > present && has_begun_to_decay(before.schedule, before.train.steps, done - 1);
  if (note.is_warning) {
    note.text +=
        cat(": it rises again after its decay had begun. To go on from the present rate set ",
            settings_that_go_on(before, now, done, present / before.optimizer.lr));
  }
  return note;
}

}  // namespace lmtrain
