#include "trainer/checkpoint/resume_compatibility.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "base/config_value.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "base/yaml_reader.h"
#include "trainer/config/load_config.h"
#include "trainer/step/schedule.h"

namespace lmtrain {

namespace {

constexpr char kTokenizer[] = "tokenizer";
constexpr char kData[] = "data";

bool covers(const std::string& name, const std::string& key) {
  const bool is_content = name == kTokenizer || name == kData;
  return key == name || (!is_content && key.starts_with(name + "."));
}

// What resume.allow may name.
std::vector<std::string> names_to_allow() {
  std::vector<std::string> names = {kTokenizer, kData};
  const auto add = [&](const std::string& name) {
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  };
  for (const ConfigValue& value : values_of(Config())) {
    if (value.on_resume != OnResume::kFixed) continue;
    add(value.key);
    for (size_t end = value.key.find('.'); end != std::string::npos;
         end = value.key.find('.', end + 1))
      add(value.key.substr(0, end));
  }
  return names;
}

// What a new phase changes: the text and how it is read, the training loop but not its precision,
// and the seed. Where the first weights were from does not matter any more, and of a tokenizer the
// content is compared.
bool is_of_phase(const std::string& key) {
  return key.starts_with("data.") || key == "run.seed" || key == "task" ||
         (key.starts_with("train.") && key != "train.precision") || key == "model.init_from" ||
         key == "lora.init_from" || key == "tokenizer.vocab_size";
}

}  // namespace

bool is_allowed(const Config& now, const std::string& what) {
  return std::ranges::any_of(now.resume.allow,
                             [&](const std::string& name) { return covers(name, what); });
}

void check_allowed_changes(const LoadedConfig& loaded) {
  const std::vector<std::string> names = names_to_allow();
  for (const std::string& name : loaded.config.resume.allow) {
    if (std::ranges::find(names, name) != names.end()) continue;
    const std::string nearest = nearest_name(name, names);
    throw ConfigError(cat(place_of(loaded, {"resume.allow"}), "resume.allow names \"",
                          one_line(name),
                          "\", which is not tokenizer, data, or a key whose change "
                          "is refused",
                          nearest.empty() ? "" : cat("; did you mean ", nearest, "?")));
  }
}

void check_resume_compatibility(const Config& before, const Config& now, bool weights_alone) {
  const bool is_strict = now.resume.mode == ResumeMode::kStrict;
  const auto may_change = [&](const std::string& key) {
    return (!is_strict && is_allowed(now, key)) || (weights_alone && covers("optimizer", key));
  };
  std::vector<std::string> fixed;
  std::vector<std::string> strict;  // that strict alone refuses
  bool names_optimizer = false;
  for (const ConfigChange& change : config_changes(values_of(before), values_of(now))) {
    const std::string text =
        cat(change.key, " (", change.before, " in the checkpoint, ", change.now, " now)");
    if (change.on_resume == OnResume::kFixed && !may_change(change.key)) {
      fixed.push_back(text);
      names_optimizer |= covers("optimizer", change.key);
    } else if (is_strict && change.on_resume == OnResume::kWarned) {
      strict.push_back(text);
    } else if (change.on_resume != OnResume::kFree) {
      log_info(cat("changed since the checkpoint: ", text));
    }
  }
  if (!fixed.empty()) {
    const bool was_weights = before.resume.mode == ResumeMode::kWeightsAlone;
    throw ConfigError(
        cat("the checkpoint was made with another config: ", join(fixed, ", "),
            is_strict
                ? "; resume.mode = strict allows no change, whatever resume.allow names; set them "
                  "back, or use resume.mode=elastic"
                : "; set them back, choose another run.name to start anew, or name them in "
                  "resume.allow if no tensor has another shape by them",
            !names_optimizer ? ""
            : was_weights    ? " (resume.mode=weights has made the optimizer anew once already)"
                             : "; resume.mode=weights begins with a new optimizer"));
  }
  if (!strict.empty()) {
    throw ConfigError(cat("resume.mode = strict, but the checkpoint was made with another config: ",
                          join(strict, ", "), "; set them back, or use resume.mode=elastic"));
  }
}

namespace {

// A rate to four digits, for reading.
std::string rounded(double rate) {
  std::array<char, 32> text;
  const int length = std::snprintf(text.data(), text.size(), "%.4g", rate);
  return {text.data(), static_cast<size_t>(length)};
}

// Settings under which the next steps have the present rate, which then falls as it does at the end
// of any run.
std::string settings_that_go_on(const Config& before, const Config& now, int64_t done,
                                double share) {
  const auto left = static_cast<double>(now.train.steps - done);
  const double longest = left / static_cast<double>(now.train.steps);
  std::string settings = cat("schedule.kind=constant_then_decay schedule.warmup_steps=0 ",
                             now.schedule.warmup_ratio > 0 ? "schedule.warmup_ratio=0 " : "",
                             "optimizer.lr=", shortest(before.optimizer.lr * share));
  if (now.optimizer.kind == OptimizerKind::kMuon)
    settings += cat(" optimizer.muon.lr=", shortest(before.optimizer.muon.lr * share));
  if (now.schedule.decay_fraction > longest) {
    const double half = std::floor(500 * longest) / 1000;  // the other half is constant
    settings += cat(" schedule.decay_fraction=", shortest(half));
  }
  return settings;
}

}  // namespace

void check_new_phase(const Config& before, const Config& now, int64_t done) {
  std::vector<std::string> fixed;
  for (const ConfigChange& change : config_changes(values_of(before), values_of(now))) {
    if (change.on_resume == OnResume::kFree && !is_of_phase(change.key)) continue;
    const std::string text = cat(change.key, " (", change.before, " before, ", change.now, " now)");
    const bool is_fixed = change.on_resume == OnResume::kFixed && !is_of_phase(change.key) &&
                          !is_allowed(now, change.key);
    if (is_fixed) {
      fixed.push_back(text);
    } else {
      log_info(cat("changed since the phase before: ", text));
    }
  }
  if (!fixed.empty()) {
    throw ConfigError(cat("run.continue_from = ", now.run.continue_from,
                          " was made with another config: ", join(fixed, ", "),
                          "; set them back, or name them in resume.allow if no tensor has another "
                          "shape by them"));
  }
  const auto rate = [](const Config& config, int64_t step) {
    return rounded(learning_rate(config.schedule, config.optimizer.lr, config.train.steps,
                                 static_cast<double>(step)));
  };
  log_info(cat("the learning rate was ", rate(before, std::max<int64_t>(0, done - 1)), " at step ",
               done, ", the last of the phase before; it is ", rate(now, 0), " at step 1 now"));
}

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
