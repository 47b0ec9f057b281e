// Config section `energy`.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "base/config_fields.h"

namespace lmtrain {

// At most so much for the whole run, all attempts together; none: no limit.
struct BudgetConfig {
  std::optional<double> kwh;
  std::optional<double> kgco2e;
  std::optional<double> hours;
  std::optional<double> money;

  void describe(Fields& f) {
    const RealLimits limits = {.min = 1e-9, .max = 1e15};
    f.optional_real("kwh", kwh, limits, "none", "Energy with that of the building (pue), in kWh.");
    f.optional_real("kgco2e", kgco2e, limits, "none", "Emissions of the grid, in kgCO2e.");
    f.optional_real("hours", hours, limits, "none", "Hours of all attempts.");
    f.optional_real("money", money, limits, "none",
                    "Cost by price_per_kwh and price_per_device_hour, in the currency.");
  }
};

enum class PauseMode { kWait, kStop };
constexpr auto choice_names(PauseMode) { return std::to_array<std::string_view>({"wait", "stop"}); }

// Pauses in hours in which the grid emits much.
struct PauseConfig {
  std::string intensity;
  std::optional<double> pause_above;
  std::optional<double> max_delay = 12.0 * 3600;
  PauseMode mode = PauseMode::kWait;

  void describe(Fields& f) {
    f.text(
        "intensity", intensity,
        "File of the grid's carbon intensity over time, in a format of intensity_file; empty: that file. The run reads "
        "it again when it changes, as a forecast does.");
    f.optional_real("pause_above", pause_above, {.min = 0.0, .max = 5000.0}, "none",
                    "The run pauses in hours of more gCO2e/kWh than this; hours of which the file "
                    "says nothing are worked in.");
    f.duration("max_delay", max_delay, "none",
               "How long pauses may delay the run in all; then it goes on whatever the grid "
               "emits.");
    f.choice("mode", mode,
             "wait saves and waits with the machines that it has. stop saves and ends with exit "
             "code 75, which gives them back; DIR/NAME/resume_at tells when to start again.");
  }
};

struct EnergyConfig {
  double interval_seconds = 1.0;
  std::optional<double> pue;
  std::string region = "WORLD";
  std::optional<double> intensity_g_per_kwh;
  std::string intensity_file;
  double cpu_tdp_watts = 0.0;
  std::string node_watts_file;
  double other_watts = 0.0;
  double network_watts = 0.0;
  double storage_watts = 0.0;
  double price_per_kwh = 0.0;
  double price_per_device_hour = 0.0;
  std::string currency = "EUR";
  std::optional<double> max_slowdown;
  BudgetConfig budget;
  PauseConfig schedule;

  void describe(Fields& f) {
    f.real("interval_seconds", interval_seconds, {.min = 0.01, .max = 60.0},
           "Seconds between two power readings.");
    f.optional_real(
        "pue", pue, {.min = 1.0, .max = 10.0}, "auto",
        "Power usage effectiveness: energy of the data centre divided by energy of its computers. "
        "auto takes what the cloud of energy.region publishes, and else 1, which reports call "
        "assumed.");
    f.text(
        "region", region,
        "Country or region of the grid: an ISO 3166 code (DEU, DE, US-CA), a region of a cloud "
        "(gcp:europe-west4, aws:us-east-1, azure:westeurope), or WORLD; lmtrain doctor lists them.");
    f.optional_real(
        "intensity_g_per_kwh", intensity_g_per_kwh, {.min = 0.0, .max = 5000.0}, "region",
        "Carbon intensity of the electricity in gCO2e/kWh, if it is known better than by region; "
        "region takes the average of energy.region.");
    f.text("intensity_file", intensity_file,
           "File of the grid's carbon intensity over time (Electricity Maps' CSV, JSON of Great "
           "Britain's operator or of the Carbon Aware SDK, or a CSV with the columns time and "
           "g_per_kwh). Energy counts at the intensity of its hour, and at that of region or "
           "intensity_g_per_kwh where the file says nothing.");
    f.real(
        "cpu_tdp_watts", cpu_tdp_watts, {.min = 0.0, .max = 100000.0},
        "Thermal design power of a node's processors, for the model that is used if no sensor can "
        "be read; 0 takes it from the table of processors.");
    f.text(
        "node_watts_file", node_watts_file,
        "File with the watts that this node draws now, as a service of the node writes it from the "
        "management controller (IPMI, Redfish). It counts in place of all sensors within the node.");
    f.real(
        "other_watts", other_watts, {.min = 0.0, .max = 100000.0},
        "Watts of a node that no sensor shows (fans, disks, losses of the power supplies), unless "
        "one shows the whole node.");
    f.real("network_watts", network_watts, {.min = 0.0, .max = 100000.0},
           "A node's share of the network's watts.");
    f.real("storage_watts", storage_watts, {.min = 0.0, .max = 100000.0},
           "A node's share of the storage's watts.");
    f.real("price_per_kwh", price_per_kwh, {.min = 0.0, .max = 1e6},
           "Price of a kWh of the facility, in the currency.");
    f.real("price_per_device_hour", price_per_device_hour, {.min = 0.0, .max = 1e6},
           "Price of an hour of an accelerator or, without any, of a node, in the currency.");
    f.text("currency", currency, "Currency of the prices.");
    f.optional_real(
        "max_slowdown", max_slowdown, {.min = 0.0, .max = 1.0}, "none",
        "The run caps its devices (power limits of NVIDIA GPUs, else the processors' highest "
        "frequency) where that saves energy and makes steps at most this much longer (0.05: 5%). It tries a few "
        "caps in its first steps; the former settings come back at its end. It needs the right to set them.");
    f.section("budget", budget,
              "What the whole run may take, all attempts together. The decay of the learning rate "
              "ends with the budget, a warning comes at 80%, and once it is spent the run "
              "validates, saves and ends with exit code 75.");
    f.section("schedule", schedule, "Pauses in hours in which the grid emits much.");
  }
};

}  // namespace lmtrain
