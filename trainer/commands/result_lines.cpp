#include "trainer/commands/result_lines.h"

#include <algorithm>
#include <iostream>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/host_name.h"
#include "base/log.h"
#include "base/text.h"
#include "trainer/config/config.h"

namespace lmtrain {

namespace {

std::unique_ptr<CallEnergy> start_metering(const EnergyOptions& options, const RankPlace& place) {
  if (!options.is_wanted) return nullptr;
  EnergyConfig config;
  if (!options.region.empty()) config.region = options.region;
  return std::make_unique<CallEnergy>(config, place);
}

}  // namespace

void add_energy_options(CLI::App* app, EnergyOptions& options, const std::string& text) {
  CLI::Option* const energy = app->add_flag("--energy", options.is_wanted, text);
  app->add_option("--region", options.region,
                  "Grid, by the code of a country or region, such as DEU, as energy.region in a "
                  "config (default WORLD)")
      ->needs(energy);
}

std::unique_ptr<CallEnergy> start_metering(const EnergyOptions& options, const Launch& launch) {
  if (options.is_wanted && launch.num_nodes() > 1)
    throw ConfigError("--energy meters the ranks of one node, and this job has several nodes");
  return start_metering(options,
                        RankPlace{launch.rank(), launch.size(), launch.node(), launch.local_rank(),
                                  launch.host(), launch.local_size()});
}

std::unique_ptr<CallEnergy> start_metering(const EnergyOptions& options) {
  RankPlace place;
  place.host = host_name();
  return start_metering(options, place);
}

std::string json_line(const nlohmann::ordered_json& value) {
  return value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

ResultLines::ResultLines(size_t num_lines, CallEnergy* energy, OutputForm form)
    : num_lines_(num_lines), energy_(energy), form_(form), begin_(monotonic_seconds()) {
  if (energy_ != nullptr) energy_->begin_inference();
}

void ResultLines::add(size_t place, std::string line, int64_t num_tokens) {
  num_tokens_ += num_tokens;
  ++num_added_;
  waiting_[place] = std::move(line);
  for (; !waiting_.empty() && waiting_.begin()->first == num_written_; ++num_written_) {
    std::cout << waiting_.begin()->second << "\n" << std::flush;
    waiting_.erase(waiting_.begin());
  }
  show_progress();
}

void ResultLines::count(int64_t num_tokens) {
  ++num_added_;
  add_tokens(num_tokens);
}

void ResultLines::add_tokens(int64_t num_tokens) {
  num_tokens_ += num_tokens;
  show_progress();
}

void ResultLines::show_progress() const {
  const double seconds = std::max(1e-9, monotonic_seconds() - begin_);
  show_progress_line(cat(num_added_, "/", counted(static_cast<int64_t>(num_lines_), "text"), "  ",
                         fixed(static_cast<double>(num_tokens_) / seconds, 1), " tokens/s"));
}

void ResultLines::finish() {
  show_progress_line("");
  const double seconds = std::max(1e-9, monotonic_seconds() - begin_);
  if (num_lines_ > 1) {
    log_info(cat(counted(static_cast<int64_t>(num_lines_), "text"), " of ",
                 counted(num_tokens_, "token"), " in ", fixed(seconds, 3),
                 " s: ", fixed(static_cast<double>(num_lines_) / seconds, 1), " texts/s, ",
                 fixed(static_cast<double>(num_tokens_) / seconds, 1), " tokens/s"));
  }
  if (energy_ == nullptr) return;
  const nlohmann::ordered_json summary = energy_->summary(num_tokens_);
  if (form_ == OutputForm::kText) {
    log_info(CallEnergy::sentence(summary));
  } else {
    std::cout << json_line({{"energy", summary}}) << "\n";
  }
}

}  // namespace lmtrain
