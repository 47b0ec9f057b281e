#include "energy/audit/audit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <utility>

#include "base/text.h"
#include "energy/accelerators.h"
#include "energy/amount_text.h"
#include "energy/grid/carbon_intensity.h"

namespace lmtrain {
namespace {

// Published numbers have two or three digits.
constexpr double kTolerance = 0.05;
// The best plants over their lives, wind, water and nuclear, cause 5 to 12 gCO2e/kWh, the worst of
// lignite some 1,300 (UNECE, Life Cycle Assessment of Electricity Generation Options, 2021).
constexpr double kLeastGrams = 5;
constexpr double kMostGrams = 1500;
// No data centre needs more for itself than for its computers, in any survey.
constexpr double kMostPue = 2.0;
// A device with its part of the server draws less than this many times its design power, and idle
// more than this share of it.
constexpr double kMostOfDesignPower = 2.5;
constexpr double kLeastOfDesignPower = 0.05;
constexpr double kMostDevicesOfAMachine = 16;
// Of the data sheet's peak. The best published trainers reach 0.65.
constexpr double kDoubtfulMfu = 0.8;
// With the making of the hardware, over the electricity alone, on the cleanest grids.
constexpr double kMostEmbodied = 10;
// A wafer-scale system draws 23 kW, and nothing that is sold as one device draws more.
constexpr double kMostWattsOfAnyDevice = 30'000;
// Above any accelerator's dense bf16 per watt so far (2.3 TFLOP/J by data sheet).
constexpr double kMostFlopsPerJoule = 5e12;

struct Interval {
  double low = 0;
  double high = 0;
};

bool is_near(double a, double b) { return std::abs(a - b) <= kTolerance * std::max(a, b); }
bool is_within(double value, Interval in) {
  return value >= in.low * (1 - kTolerance) && value <= in.high * (1 + kTolerance);
}

// A slip that explains a wrong factor, such as MWh for kWh.
std::string slip_text(double factor) {
  const double off = std::max(factor, 1 / factor);
  if (off > 500 && off < 2000)
    return "; a factor of about 1,000: units (W and kW, kg and t) are mixed up";
  if (off > 2500 && off < 5000)
    return "; a factor of about 3,600: joules or seconds stand for Wh or hours";
  if (off > 5e5 && off < 2e6) return "; a factor of about a million: units are mixed up";
  return "";
}

std::string number(double value) {
  return value >= 1000 && value < 1e15 ? with_commas(std::llround(value)) : three_digits(value);
}

// Whether a boundary says that emissions of making are in the numbers.
bool includes_embodied(const std::string& boundary) {
  const std::string text = in_lower_case(boundary);
  if (text.find("embodied") == std::string::npos) return false;
  for (const char* denial : {"not ", "without", "exclud", "no embodied", "except", "only"}) {
    if (text.find(denial) != std::string::npos) return false;
  }
  return true;
}

class Auditor {
 public:
  explicit Auditor(const PublishedRun& run)
      : run_(run), accelerator_(find_accelerator(run.hardware)) {}

  Audit look() {
    check_signs();
    if (result_.is_impossible()) return std::move(result_);
    check_hours();
    check_parts();
    check_watts();
    check_energy();
    check_emissions();
    check_flops();
    if (accelerator_ == nullptr && hours_) {
      result_.remark =
          cat(run_.hardware.empty() ? "no hardware is named" : run_.hardware + " is not known",
              ", so its power and peak were not checked (known are ", accelerator_names(), ")");
    }
    return std::move(result_);
  }

 private:
  void impossible(const std::string& text) { result_.findings.push_back({true, text}); }
  void doubtful(const std::string& text) { result_.findings.push_back({false, text}); }

  void check_signs() {
    const std::array<std::pair<const char*, std::optional<double>>, 13> numbers = {
        {{"parameters", run_.parameters},
         {"tokens", run_.tokens},
         {"FLOPs", run_.flops},
         {"devices", run_.devices},
         {"days", run_.days},
         {"device-hours", run_.device_hours},
         {"watts", run_.least_watts},
         {"PUE", run_.pue},
         {"gCO2e/kWh", run_.g_per_kwh},
         {"kWh", run_.kwh},
         {"emissions", run_.kg_co2e},
         {"emissions a second", run_.kg_per_second},
         {"seconds", run_.seconds}}};
    for (const auto& [name, value] : numbers) {
      if (!value || *value > 0) continue;
      impossible(cat(name, " of ", shortest(*value), " are not possible",
                     *value < 0 ? ""
                                : "; a zero stands for a sensor that was not read, or for "
                                  "contracts or offsets, which are no measurement"));
    }
    if (run_.pue && *run_.pue > 0 && *run_.pue < 1)
      impossible(cat("a PUE of ", shortest(*run_.pue),
                     " is below 1: a facility would use less than its computers"));
    if (run_.pue && *run_.pue > 3)
      doubtful(cat("a PUE of ", shortest(*run_.pue), " is above that of any known facility"));
  }

  void check_hours() {
    hours_ = run_.device_hours;
    if (!run_.devices || !run_.days) return;
    const double most = *run_.devices * *run_.days * 24;
    if (!hours_) {
      hours_ = most;
      return;
    }
    ++result_.num_checks;
    if (*hours_ > most * (1 + kTolerance)) {
      impossible(cat(number(*hours_), " device-hours do not fit into ", number(*run_.days),
                     " days of ", number(*run_.devices), " devices, which have ", number(most),
                     slip_text(*hours_ / most)));
    }
  }

  // kWh of components, and emissions a second over the duration.
  void check_parts() {
    double sum = 0;
    for (const double part : run_.parts_kwh) {
      sum += part;
      if (part < 0) impossible(cat("a part of the energy is ", shortest(part), " kWh"));
    }
    if (run_.kwh && sum > 0) {
      ++result_.num_checks;
      // The whole may have the facility's share and the parts not.
      if (!is_within(*run_.kwh, {sum, sum * run_.pue.value_or(1)}))
        impossible(
            cat("the parts add up to ", number(sum), " kWh, the whole is ", number(*run_.kwh)));
    }
    if (run_.computers_kwh && run_.kwh) {
      ++result_.num_checks;
      const double facility = *run_.computers_kwh * run_.pue.value_or(1);
      if (!is_near(facility, *run_.kwh))
        impossible(cat("the computers' ", number(*run_.computers_kwh), " kWh with the PUE are ",
                       number(facility), " kWh, not ", number(*run_.kwh),
                       slip_text(facility / *run_.kwh)));
    }
    double kg = 0;
    for (const double part : run_.parts_kg) kg += part;
    if (run_.kg_co2e && !run_.parts_kg.empty()) {
      ++result_.num_checks;
      if (!is_near(kg, *run_.kg_co2e))
        impossible(cat("the emissions of the parts add up to ", number(kg), " kg, the whole is ",
                       number(*run_.kg_co2e)));
    }
    if (run_.kg_per_second && run_.seconds && run_.kg_co2e) {
      ++result_.num_checks;
      const double by_rate = *run_.kg_per_second * *run_.seconds;
      if (!is_near(by_rate, *run_.kg_co2e)) {
        impossible(cat("the rate of emissions over ", number(*run_.seconds), " s gives ",
                       number(by_rate), " kg, not ", number(*run_.kg_co2e),
                       slip_text(by_rate / *run_.kg_co2e)));
      }
    }
  }

  // The watts that are stated.
  void check_watts() {
    if (!run_.least_watts) return;
    result_.watts_per_device = run_.least_watts;
    ++result_.num_checks;
    judge_watts(*run_.least_watts, run_.devices);
    if (run_.most_watts != run_.least_watts) judge_watts(*run_.most_watts, run_.devices);
  }

  void judge_watts(double watts, std::optional<double> devices) {
    if (accelerator_ == nullptr) {
      if (watts > kMostWattsOfAnyDevice)
        impossible(cat(number(watts), " W are more than any device draws",
                       slip_text(watts / kMostWattsOfAnyDevice)));
      return;
    }
    const double design = accelerator_->watts;
    const std::string device = cat("a ", in_upper_case(accelerator_->name),
                                   ", whose design power is ", number(design), " W");
    if (watts < kLeastOfDesignPower * design) {
      impossible(cat(number(watts), " W are less than ", device, ", draws idle",
                     slip_text(watts / design)));
    } else if (watts > kMostOfDesignPower * design) {
      const double each = devices ? watts / *devices : watts;
      // Hours that are those of all devices over all days are no machine's.
      const bool are_of_devices =
          devices && run_.days && hours_ && is_near(*hours_, *devices * *run_.days * 24);
      if (devices && !are_of_devices && *devices <= kMostDevicesOfAMachine &&
          each <= kMostOfDesignPower * design) {
        doubtful(cat(number(watts), " W are too much for ", device, "; with ", number(*devices),
                     " devices for each of the hours it is ", number(each),
                     " W, so the hours seem to be those of machines"));
      } else {
        impossible(cat(number(watts), " W are too much for ", device, " and its part of a server",
                       slip_text(watts / design)));
      }
    }
  }

  void check_energy() {
    const Interval pue = {run_.pue.value_or(1), run_.pue.value_or(kMostPue)};
    if (run_.least_watts && hours_) {
      const Interval computers = {*run_.least_watts * *hours_ / 1000,
                                  *run_.most_watts * *hours_ / 1000};
      facility_ = {computers.low * pue.low, computers.high * pue.high};
      result_.kwh = computers.low * run_.pue.value_or(1);
      if (run_.kwh) {
        ++result_.num_checks;
        // It may stand for the computers or for the facility.
        if (!is_within(*run_.kwh, {computers.low, facility_->high})) {
          impossible(cat(number(*run_.least_watts), " W over ", number(*hours_),
                         " device-hours give ", number(computers.low), " kWh",
                         run_.pue ? cat(", with the PUE ", number(facility_->low)) : "", ", not ",
                         number(*run_.kwh), slip_text(*run_.kwh / computers.low)));
        }
      }
    }
    if (!run_.kwh) return;
    result_.kwh = run_.kwh;
    facility_ = {*run_.kwh, *run_.kwh * pue.high};
    if (run_.least_watts || !hours_) return;
    result_.watts_per_device = *run_.kwh * 1000 / *hours_ / pue.low;
    ++result_.num_checks;
    judge_watts(*result_.watts_per_device, run_.devices);
  }

  void check_emissions() {
    if (run_.g_per_kwh) {
      ++result_.num_checks;
      judge_grams({*run_.g_per_kwh, *run_.g_per_kwh},
                  cat(number(*run_.g_per_kwh), " gCO2e/kWh are"));
    }
    if (!run_.kg_co2e || !facility_) return;
    ++result_.num_checks;
    // What it takes to make the hardware comes on top.
    const bool has_embodied = includes_embodied(run_.boundary);
    const double grams = *run_.kg_co2e * 1000;
    result_.g_per_kwh = grams / *result_.kwh;
    const Interval implied = {grams / facility_->high, grams / facility_->low};
    const std::string said = cat(emissions_text(grams), " for ", energy_text(*result_.kwh * 3.6e6),
                                 " are ", number(*result_.g_per_kwh), " gCO2e/kWh");
    if (run_.g_per_kwh) {
      if (*run_.g_per_kwh > implied.high * (1 + kTolerance) ||
          *run_.g_per_kwh < implied.low * (1 - kTolerance) / (has_embodied ? kMostEmbodied : 1)) {
        impossible(cat(said, ", not the ", number(*run_.g_per_kwh), " that are stated",
                       slip_text(*result_.g_per_kwh / *run_.g_per_kwh)));
      }
      return;
    }
    judge_grams({implied.low / (has_embodied ? kMostEmbodied : 1), implied.high}, said + ",");
  }

  // `said` opens the sentence, with its verb's comma or without.
  void judge_grams(Interval grams, const std::string& said) {
    std::vector<GridIntensity> nations;
    std::ranges::copy_if(carbon_table(), std::back_inserter(nations), is_national);
    const auto [cleanest, dirtiest] =
        std::ranges::minmax_element(nations, {}, &GridIntensity::g_per_kwh);
    if (grams.high < kLeastGrams) {
      impossible(cat(said, " less than any plant causes over its life (", kLeastGrams,
                     "); market-based figures belong on a line of their own",
                     slip_text(grams.high / 400)));
    } else if (grams.low > kMostGrams) {
      impossible(
          cat(said, " more than any plant causes (", kMostGrams, ")", slip_text(grams.low / 400)));
    } else if (grams.high < cleanest->g_per_kwh * (1 - kTolerance)) {
      doubtful(cat(said, " less than on any national grid (", cleanest->name, ", ",
                   number(cleanest->g_per_kwh), ")"));
    } else if (grams.low > dirtiest->g_per_kwh * (1 + kTolerance)) {
      doubtful(cat(said, " more than on any national grid (", dirtiest->name, ", ",
                   number(dirtiest->g_per_kwh), ")"));
    }
  }

  void check_flops() {
    std::optional<double> flops = run_.flops;
    const std::optional<double> size =
        run_.active_parameters ? run_.active_parameters : run_.parameters;
    if (size && run_.tokens) {
      const double rule = 6 * *size * *run_.tokens;
      if (flops) {
        ++result_.num_checks;
        const double ratio = *flops / rule;
        const std::string said = cat(three_digits(*flops), " FLOPs are ", three_digits(ratio),
                                     " times what 6 x parameters x tokens gives");
        if (ratio < 0.05 || ratio > 20) {
          impossible(said + slip_text(ratio));
        } else if (ratio < 0.5 || ratio > 3) {
          doubtful(said);
        }
      } else {
        flops = rule;
      }
    }
    if (!flops) return;
    if (accelerator_ != nullptr && hours_) {
      ++result_.num_checks;
      const double mfu = *flops / (accelerator_->peak_flops * *hours_ * 3600);
      result_.mfu = mfu;
      const std::string said = cat(three_digits(*flops), " FLOPs in ", number(*hours_),
                                   " device-hours are ", fixed(100 * mfu, mfu < 0.1 ? 1 : 0),
                                   "% of the peak of a ", in_upper_case(accelerator_->name));
      if (mfu > 1) {
        impossible(said + slip_text(mfu / 0.4));
      } else if (mfu > kDoubtfulMfu) {
        doubtful(said + ", more than any published trainer reaches");
      } else if (mfu < 0.001) {
        doubtful(said + slip_text(mfu / 0.4));
      }
    }
    if (facility_) {
      ++result_.num_checks;
      const double joules = facility_->high * 3.6e6;
      if (*flops > joules * kMostFlopsPerJoule) {
        impossible(cat(three_digits(*flops), " FLOPs cannot be had for ", energy_text(joules),
                       ": no hardware computes so much with it",
                       slip_text(*flops / joules / 1e12)));
      }
    }
  }

  const PublishedRun& run_;
  const Accelerator* const accelerator_;
  Audit result_;
  std::optional<double> hours_;       // of devices
  std::optional<Interval> facility_;  // kWh that the emissions may have been counted with
};

}  // namespace

bool Audit::is_impossible() const {
  return std::ranges::any_of(findings, [](const AuditFinding& one) { return one.is_impossible; });
}

Audit audit(const PublishedRun& run) { return Auditor(run).look(); }

}  // namespace lmtrain
